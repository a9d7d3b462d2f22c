"""Programs of Debian with which the online ID is tried: an AusweisApp with a virtual card, in a room of its own. Absent
ones are skipped loudly; in CI that is a failure."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets

from servicepunkt.eid.testing.chip import Fault, FaultyChip
from servicepunkt.eid.testing.room import Room
from servicepunkt.eid.testing.vpcd import inserted

VPCD, SDK = 35_963, 24_727
Message = dict[str, Any]
Absent = Callable[[str], None]
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")


@pytest.fixture(scope="session")
def absent() -> Absent:
    """Skip, or fail in CI."""

    def missing(sentence: str) -> None:
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1" or os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)

    return missing


@pytest.fixture(scope="session")
def program(absent: Absent) -> Callable[[str], str]:
    """The path of a program."""

    def found(name: str) -> str:
        place = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if place is None:
            absent(f"{name} is not installed")
        return str(place)

    return found


@pytest.fixture
def readers(program: Callable[[str], str], absent: Absent) -> Iterator[Room]:
    """A room in which pcscd runs, with vpcd's two readers."""
    pcscd = program("pcscd")
    program("ip")
    if not DRIVER.exists():
        absent("vsmartcard-vpcd is not installed")
    if os.geteuid() != 0:
        absent("a network of its own needs root")
    with Room() as made:
        made.start(pcscd, "--foreground", "--config", "/etc/reader.conf.d")
        yield made


@pytest.fixture
def room(readers: Room, program: Callable[[str], str]) -> Room:
    """The same with an AusweisApp."""
    ausweisapp = program("AusweisApp2")
    home, runtime = readers.folder / "home", readers.folder / "run"
    runtime.mkdir(mode=0o700)
    settings = home / ".config" / "Unknown Organization" / "AusweisApp2.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[preverification]\nenabled=false\n")  # else it trusts the anchors of the state alone
    readers.start(
        ausweisapp, "--keep", "--no-logfile", "--no-proxy", "--ui", "websocket", "--address", "127.0.0.1",
        environment={"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    return readers


class Person:
    """Somebody at the AusweisApp: gives what is asked for, in the order in which it is written down.

    `asked` is every question that came, `readers` what was said of the card.
    """

    def __init__(self, socket: websockets.ClientConnection, card: FaultyChip) -> None:
        self._socket = socket
        self.card = card
        self.asked: list[str] = []
        self.readers: list[Message] = []

    async def send(self, cmd: str, **fields: object) -> None:
        await self._socket.send(json.dumps({"cmd": cmd, **fields}))

    async def come(self, *wanted: str, seconds: float = 20) -> Message:
        """The next message of one of these kinds that says more than that something began."""
        async with asyncio.timeout(seconds):
            while True:
                message: Message = json.loads(await self._socket.recv())
                kind = message["msg"]
                if kind == "READER" and message.get("card"):
                    self.readers.append(message["card"])
                if kind.startswith("ENTER_"):
                    self.asked.append(kind)
                if kind in wanted and (kind.startswith(("ENTER", "ACCESS", "READER", "INSERT")) or len(message) > 1):
                    return message

    async def answer(self, *secrets: str, end: str, at: str = "", take: int = 0) -> Message:
        """Give secrets as they are asked for, until the workflow ends; who has none left cancels.

        With `take`, the card is taken away at that many commands after the question `at` was answered.
        """
        left = list(secrets)
        while True:
            message = await self.come(end, "ENTER_PIN", "ENTER_CAN", "ENTER_PUK", "ENTER_NEW_PIN", "INSERT_CARD")
            kind = message["msg"]
            if kind == end:
                return message
            if kind == "INSERT_CARD" and not self.card.faults:
                continue  # it lies there, and has not been noticed yet
            if not left or kind == "INSERT_CARD":
                await self.send("CANCEL")
                continue
            if take and kind == at:
                self.card.faults.append(Fault(at=self.card.asked + take, kind="removed"))
            await self.send(f"SET_{kind.removeprefix('ENTER_')}", value=left.pop(0))

    async def change_pin(self, *secrets: str, at: str = "", take: int = 0) -> bool:
        await self.send("RUN_CHANGE_PIN")
        found: bool = (await self.answer(*secrets, end="CHANGE_PIN", at=at, take=take))["success"]
        return found

    async def identify(
        self, url: str, *secrets: str, rights: Sequence[str] = (), take: int = 0, at: str = "ENTER_PIN"
    ) -> Message:
        """The final message. `rights`: those optional ones that stay switched on."""
        await self.send("RUN_AUTH", tcTokenURL=url, developerMode=False)
        shown = await self.come("ACCESS_RIGHTS", "AUTH")
        if shown["msg"] == "AUTH":
            return shown
        await self.send("SET_ACCESS_RIGHTS", chat=list(rights))
        self.rights = (await self.come("ACCESS_RIGHTS"))["chat"]
        await self.send("ACCEPT")
        return await self.answer(*secrets, end="AUTH", at=at, take=take)


@pytest.fixture
def person(room: Room) -> Callable[..., Any]:
    @asynccontextmanager
    async def sitting(card: FaultyChip) -> AsyncIterator[Person]:
        async with (
            inserted(card, sock=room.connect(VPCD)),
            websockets.connect("ws://127.0.0.1/eID-Kernel", sock=room.connect(SDK), max_size=2**20) as socket,
        ):
            yield Person(socket, card)

    return sitting
