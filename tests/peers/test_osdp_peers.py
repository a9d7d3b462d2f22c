"""OSDP against two libraries that nobody here wrote: libosdp, and the ``osdp`` package.

Their control panels drive the simulated device over a pty, our panel drives libosdp's device, and libosdp's panel
drives libosdp's device, which shows that the scripts do what they say. Both packages are imported as ``osdp``, so
each runs as a process in an environment of its own; ``python3 noxfile.py -s peers`` makes the environments and says
where they are.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import queue
import select
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from servicepunkt.dokbox.boards import osdp as boards
from servicepunkt.dokbox.boards.osdp import Osdp
from servicepunkt.dokbox.cabinet import open_cabinet
from servicepunkt.dokbox.events import Events, KeysTyped
from servicepunkt.dokbox.lines import NotReadyError
from servicepunkt.dokbox.simulator.osdp import DEFAULT_KEY, Colour, DeviceWhat, NakReason, OsdpDevice, OsdpDevices

SCRIPTS = Path(__file__).parent / "osdp"
LIBOSDP = "SERVICEPUNKT_PEER_LIBOSDP"
OSDP = "SERVICEPUNKT_PEER_OSDP"
ADDRESS = 101
KEY = bytes(range(16))
MASTER_KEY = bytes(range(100, 116))
PATIENCE = 30.0
"""Seconds until a peer that says nothing counts as mute; on a busy machine it may start slowly."""
DIGITS = "4711#"
DIGITS_ON_THE_LINE = "34 37 31 31 0D".replace(" ", "").lower()


def python_of(variable: str) -> str:
    """The interpreter of a peer's environment; without one the test is skipped loudly, or fails in CI."""
    python = os.environ.get(variable, "")
    if not Path(python).is_file():
        sentence = f"NOT RUN: {variable} names no Python; python3 noxfile.py -s peers makes one"
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return python


class Peer:
    """A script of ``tests/peers/osdp`` as a process: orders go in, what it says comes out, both as JSON lines."""

    def __init__(self, variable: str, script: str, *arguments: object) -> None:
        command = [python_of(variable), str(SCRIPTS / script), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            # libosdp prints a greeting of its own.
            if line.startswith("{"):
                self.said.put(json.loads(line))
        self.said.put(None)

    def order(self, do: str, **fields: object) -> None:
        assert self.process.stdin
        print(json.dumps({"do": do, **fields}), file=self.process.stdin, flush=True)

    def hear(self, field: str) -> dict[str, Any]:
        """The next thing said that has this field; what is said before it is dropped."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                said = self.said.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                pytest.fail(f"the peer says nothing of {field}")
            assert said is not None, f"the peer ended with {self.process.wait()} before it said anything of {field}"
            if field in said:
                return said

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stdout.close()


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """The near end of a raw pty, and the path of its far end, which stays open for clients to come and go."""
    near, far = pty.openpty()
    tty.setraw(far)
    try:
        yield near, os.ttyname(far)
    finally:
        os.close(far)
        os.close(near)


@contextmanager
def carrying(takers: dict[int, Callable[[bytes], None]]) -> Iterator[None]:
    """Give what arrives at each descriptor to its taker, in a thread, until the block ends."""
    wake_read, wake_write = os.pipe()

    def carry() -> None:
        while True:
            ready, _, _ = select.select([wake_read, *takers], [], [])
            if wake_read in ready:
                return
            for descriptor in ready:
                takers[descriptor](os.read(descriptor, 4096))

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(wake_write, b"\0")
        thread.join()
        os.close(wake_read)
        os.close(wake_write)


@contextmanager
def served(bus: OsdpDevices) -> Iterator[str]:
    """The path at which a panel finds the devices of a bus."""
    with terminal() as (near, path):

        def take(data: bytes) -> None:
            for sent in bus.receive(data, time=time.monotonic()):
                os.write(near, sent.data)

        with carrying({near: take}):
            yield path


@contextmanager
def cable() -> Iterator[tuple[str, str]]:
    """The paths of the two ends of a line."""
    with ExitStack() as stack:
        one, path = stack.enter_context(terminal())
        other, other_path = stack.enter_context(terminal())

        def towards(end: int) -> Callable[[bytes], None]:
            def take(data: bytes) -> None:
                os.write(end, data)

            return take

        stack.enter_context(carrying({one: towards(other), other: towards(one)}))
        yield path, other_path


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def key_from(master_key: bytes, unique_id: bytes) -> bytes:
    """How the ``osdp`` package makes a device's key."""
    encryptor = Cipher(algorithms.AES(master_key), modes.ECB()).encryptor()
    return encryptor.update(unique_id + bytes(byte ^ 0xFF for byte in unique_id)) + encryptor.finalize()


def happened(device: OsdpDevice, what: DeviceWhat) -> list[int | None]:
    return [entry.number for entry in device.history if entry.what is what]


def test_libosdp_panel_and_our_device() -> None:
    device = OsdpDevice(ADDRESS, key=KEY, requires_secure_channel=True, outputs=8)
    with (
        served(OsdpDevices([device], Random(1))) as path,
        Peer(LIBOSDP, "libosdp_panel.py", path, ADDRESS, KEY.hex()) as panel,
    ):
        assert panel.hear("secure")["secure"]
        panel.order("identify")
        identity = {"vendor": int.from_bytes(b"SIM", "little"), "model": 1, "serial": 1, "outputs": 8, "secure": True}
        assert panel.hear("vendor") == identity
        panel.order("output", output_no=3, control_code=2, timer_count=0)
        assert panel.hear("done")["done"]
        assert panel.hear("status") == {"status": "output", "report": "0000000100000000"}
        assert device.outputs(time=time.monotonic())[3]
        light = {"control_code": 1, "on_color": 2, "off_color": 0, "on_count": 1, "off_count": 0}
        panel.order("led", reader=0, led_number=1, temporary=False, **light)
        wait_until(lambda: device.led(1, time=time.monotonic()) is Colour.GREEN)
        panel.order("buzzer", reader=0, control_code=2, on_count=1, off_count=1, rep_count=2)
        wait_until(lambda: happened(device, DeviceWhat.BUZZER_SET) == [None])
        device.press(DIGITS, time=time.monotonic())
        assert panel.hear("keys")["keys"] == DIGITS_ON_THE_LINE
        device.set_input(2, True, time=time.monotonic())
        assert panel.hear("status") == {"status": "input", "report": "00000100"}
    assert happened(device, DeviceWhat.OUTPUT_CHANGED) == [3]
    # Only its first poll, before it had a session, was refused.
    assert {entry.nak for entry in device.history} <= {None, NakReason.SECURITY_REQUIRED}


def test_libosdp_panel_gives_our_device_a_new_key() -> None:
    device = OsdpDevice(ADDRESS, key=KEY)
    new_key = bytes(range(200, 216))
    with (
        served(OsdpDevices([device], Random(2))) as path,
        Peer(LIBOSDP, "libosdp_panel.py", path, ADDRESS, KEY.hex()) as panel,
    ):
        assert panel.hear("secure")["secure"]
        panel.order("keyset", key=new_key.hex())
        wait_until(lambda: device.key == new_key)
        wait_until(lambda: len(happened(device, DeviceWhat.CHANNEL_UP)) == 2)


def test_libosdp_panel_refuses_our_device_with_another_key() -> None:
    device = OsdpDevice(ADDRESS, key=DEFAULT_KEY)
    with (
        served(OsdpDevices([device], Random(3))) as path,
        Peer(LIBOSDP, "libosdp_panel.py", path, ADDRESS, KEY.hex(), 3) as panel,
    ):
        assert not panel.hear("secure")["secure"]
    assert happened(device, DeviceWhat.CHANNEL_UP) == []


def test_osdp_panel_and_our_device() -> None:
    unkeyed = OsdpDevice(ADDRESS)
    key = key_from(MASTER_KEY, unkeyed.identity.unique_id)
    device = OsdpDevice(ADDRESS, key=key, requires_secure_channel=True)
    with (
        served(OsdpDevices([device], Random(4))) as path,
        Peer(OSDP, "osdp_panel.py", path, ADDRESS, MASTER_KEY.hex()) as panel,
    ):
        # It begins with a secured poll without a session.
        assert panel.hear("nak")["nak"] == NakReason.SECURITY_REQUIRED
        assert panel.hear("secure") == {"online": True, "secure": True}
        panel.order("identify")
        said = panel.hear("vendor")
        assert (bytes.fromhex(said["vendor"]), said["model"], said["serial"]) == (b"SIM", 1, 1)
        assert said["functions"]["CommunicationSecurity"] == [1, 0]
        assert said["functions"]["OutputControl"] == [2, 4]
        panel.order("output", number=2, code=2, timer=0)
        assert panel.hear("done")["done"]
        assert device.outputs(time=time.monotonic()) == (False, False, True, False)
        panel.order("outputs")
        assert panel.hear("states")["states"] == [False, False, True, False]
        panel.order("led", number=0, colour=3, timer=0)
        assert panel.hear("done")["done"]
        assert device.led(0, time=time.monotonic()) is Colour.AMBER
        device.set_input(1, True, time=time.monotonic())
        panel.order("inputs")
        assert panel.hear("states")["states"] == [False, True, False, False]
        device.press(DIGITS, time=time.monotonic())
        assert panel.hear("keys")["keys"] == DIGITS_ON_THE_LINE
    assert [entry.nak for entry in device.history if entry.nak] == [NakReason.SECURITY_REQUIRED]


def test_osdp_panel_installs_its_key_in_our_device() -> None:
    """In install mode: a session under the default key, KEYSET, a session under the new key."""
    device = OsdpDevice(ADDRESS, accepts_default_key=True)
    with (
        served(OsdpDevices([device], Random(5))) as path,
        Peer(OSDP, "osdp_panel.py", path, ADDRESS, MASTER_KEY.hex()) as panel,
    ):
        assert panel.hear("secure")["online"]
        wait_until(lambda: len(happened(device, DeviceWhat.CHANNEL_UP)) == 2)
    assert device.key == key_from(MASTER_KEY, device.identity.unique_id)
    assert not device.accepts_default_key


def test_libosdp_panel_and_libosdp_device() -> None:
    with (
        cable() as (near, far),
        Peer(LIBOSDP, "libosdp_device.py", far, ADDRESS, KEY.hex()) as device,
        Peer(LIBOSDP, "libosdp_panel.py", near, ADDRESS, KEY.hex()) as panel,
    ):
        assert panel.hear("secure")["secure"]
        device.order("state")
        assert device.hear("secure") == {"secure": True, "online": True}
        panel.order("output", output_no=3, control_code=5, timer_count=5)
        assert device.hear("command") == {"command": "output", "output_no": 3, "control_code": 5, "timer_count": 5}
        light = {"control_code": 1, "on_color": 1, "off_color": 0, "on_count": 1, "off_count": 0}
        panel.order("led", reader=0, led_number=1, temporary=False, **light)
        assert device.hear("command")["on_color"] == 1
        device.order("press", keys=DIGITS_ON_THE_LINE)
        assert panel.hear("keys")["keys"] == DIGITS_ON_THE_LINE
        device.order("inputs", report="00010001")
        assert panel.hear("status") == {"status": "input", "report": "00010001"}


# ---- Our panel and libosdp's device ----


async def until_keys(events: Events) -> str:
    async for event in events:
        if isinstance(event, KeysTyped):
            return event.keys
    raise AssertionError("the cabinet was closed")


async def test_our_panel_and_libosdp_device(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY.hex())
    with (
        cable() as (near, far),
        Peer(LIBOSDP, "libosdp_device.py", far, ADDRESS, KEY.hex()) as device,
    ):
        device.hear("ready")
        address = f"osdp:{near}?address={ADDRESS}&locks=4&items=false&key=file:{tmp_path}/key"
        async with asyncio.timeout(PATIENCE), open_cabinet(address) as cabinet:
            unlocked = await cabinet.unlock(3)
            assert unlocked.frame == "656802050500"
            offs = [await asyncio.to_thread(device.hear, "command") for _ in range(4)]
            assert [(off["output_no"], off["control_code"]) for off in offs] == [(n, 1) for n in range(4)]
            fired = await asyncio.to_thread(device.hear, "command")
            assert fired == {"command": "output", "output_no": 2, "control_code": 5, "timer_count": 5}
            device.order("state")
            assert (await asyncio.to_thread(device.hear, "secure"))["secure"]


async def test_keypad_of_libosdp_device(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY.hex())
    with (
        cable() as (near, far),
        Peer(LIBOSDP, "libosdp_device.py", far, ADDRESS, KEY.hex()) as device,
    ):
        device.hear("ready")
        address = f"osdp:{near}?address={ADDRESS}&locks=0&key=file:{tmp_path}/key"
        async with asyncio.timeout(PATIENCE), open_cabinet(address) as cabinet:
            events = cabinet.events()
            (line,) = cabinet.lines
            assert isinstance(line.board, Osdp)
            await line.ask(ADDRESS, line.board.light(ADDRESS, boards.Colour.RED))
            assert (await asyncio.to_thread(device.hear, "command"))["on_color"] == 1
            device.order("press", keys=DIGITS_ON_THE_LINE)
            assert await until_keys(events) == DIGITS


async def test_libosdp_device_with_another_key_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(bytes(range(1, 17)).hex())
    with (
        cable() as (near, far),
        Peer(LIBOSDP, "libosdp_device.py", far, ADDRESS, KEY.hex()) as device,
    ):
        device.hear("ready")
        address = f"osdp:{near}?address={ADDRESS}&locks=0&key=file:{tmp_path}/key"
        async with asyncio.timeout(PATIENCE), open_cabinet(address) as cabinet:
            (line,) = cabinet.lines
            with pytest.raises(NotReadyError, match="does not know the key"):
                await line.status(ADDRESS)
