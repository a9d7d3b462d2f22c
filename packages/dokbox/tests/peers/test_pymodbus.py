"""Our Modbus driver against pymodbus, a server that nobody here wrote, over a cable of two ptys."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from servicepunkt.dokbox.boards import BoardRefusedError
from servicepunkt.dokbox.boards.modbus import READ_COILS, bits, read
from servicepunkt.dokbox.cabinet import open_cabinet
from servicepunkt.dokbox.lines import NotReadyError

try:
    from pymodbus import FramerType
    from pymodbus.server import ModbusSerialServer
    from pymodbus.simulator import DataType, SimData, SimDevice
except ImportError:
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        raise
    pytest.skip("pymodbus is not installed (dependency group dev)", allow_module_level=True)

PATIENCE = 20.0
LOCKS = 16


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    near, far = pty.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    try:
        yield near, os.ttyname(far)
    finally:
        os.close(far)
        os.close(near)


@asynccontextmanager
async def server(*, inputs: int = 2 * LOCKS) -> AsyncIterator[str]:
    """The path at which a relay board with closed doors and no items answers."""
    device = SimDevice(
        id=1,
        simdata=(
            [SimData(0, count=LOCKS, values=False, datatype=DataType.BITS)],
            [SimData(0, count=inputs, values=True, datatype=DataType.BITS)],
            [SimData(0, count=8, values=0, datatype=DataType.REGISTERS)],
            [SimData(0, count=8, values=0, datatype=DataType.REGISTERS)],
        ),
    )
    loop = asyncio.get_running_loop()
    with terminal() as (one, path), terminal() as (other, server_path):
        loop.add_reader(one, lambda: os.write(other, os.read(one, 4096)))
        loop.add_reader(other, lambda: os.write(one, os.read(other, 4096)))
        serving = ModbusSerialServer(device, port=server_path, framer=FramerType.RTU, baudrate=9600)
        await serving.serve_forever(background=True)
        try:
            yield path
        finally:
            await serving.shutdown()
            loop.remove_reader(one)
            loop.remove_reader(other)


async def test_locks_and_contacts() -> None:
    async with server() as path, asyncio.timeout(PATIENCE), open_cabinet(f"modbus:{path}") as cabinet:
        readings = await cabinet.read()
        assert {(reading.closed, reading.item) for reading in readings.values()} == {(True, True)}
        (line,) = cabinet.lines

        async def coils() -> int:
            reply = await line._submit(1, read(1, READ_COILS, LOCKS))
            assert reply.frame is not None
            return bits(reply.frame)

        await cabinet.unlock(4)
        with pytest.raises(Exception, match="cannot be read"):
            await coils()  # what the driver takes for an answer says that nothing is on
        await asyncio.sleep(0.7)
        assert await coils() == 0


async def test_a_board_with_too_few_inputs_says_so() -> None:
    async with server(inputs=LOCKS) as path, asyncio.timeout(PATIENCE), open_cabinet(f"modbus:{path}") as cabinet:
        with pytest.raises(NotReadyError, match="no such address") as caught:
            await cabinet.unlock(1)
        assert isinstance(caught.value.reason, BoardRefusedError)
