"""The simulated Modbus boards against minimalmodbus, a Modbus client that nobody here wrote, over a pty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from servicepunkt.dokbox.simulator import (
    Boards,
    Cabinet,
    Compartment,
    Echo,
    FlippedBit,
    Line,
    ModbusCu48,
    ModbusRelays,
    NoReply,
    What,
)

try:
    import minimalmodbus
except ImportError:
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        raise
    pytest.skip("minimalmodbus is not installed (dependency group dev)", allow_module_level=True)

READ_COILS, READ_INPUTS, WRITE_COIL = 1, 2, 5


@contextmanager
def client(
    boards: Boards, *, unit: int = 1, baud: int = 9600, timeout: float = 5
) -> Iterator[minimalmodbus.Instrument]:
    with Line(boards, baud=baud) as line:
        instrument = minimalmodbus.Instrument(line.path, unit)
        instrument.serial.baudrate = baud
        instrument.serial.timeout = timeout
        instrument.clear_buffers_before_each_transaction = True
        yield instrument
        instrument.serial.close()


def test_relays_and_inputs_as_a_foreign_client_sees_them() -> None:
    cabinet = Cabinet(restored=[Compartment(20, item=True)])
    with client(ModbusRelays(cabinet, Random(1)), unit=2) as instrument:
        assert instrument.read_bits(0, 32, READ_INPUTS) == [1] * 16 + [0, 0, 0, 1] + [0] * 12
        instrument.write_bit(3, 1, WRITE_COIL)
        assert instrument.read_bits(0, 16, READ_COILS) == [0, 0, 0, 1] + [0] * 12
        instrument.write_bit(3, 0, WRITE_COIL)
        assert instrument.read_bits(0, 16, READ_COILS) == [0] * 16
        assert instrument.read_bit(3, READ_INPUTS) == 0
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [20]
    assert [entry.what for entry in cabinet.history] == [What.PULSE, What.SPRANG_OPEN]


def test_it_understands_the_exceptions() -> None:
    with client(ModbusRelays(Cabinet(), Random(1))) as instrument:
        with pytest.raises(minimalmodbus.IllegalRequestError, match="illegal data address"):
            instrument.read_bits(0, 17, READ_COILS)
        with pytest.raises(minimalmodbus.IllegalRequestError, match="illegal function"):
            instrument.read_register(0)
        with pytest.raises(minimalmodbus.IllegalRequestError, match="illegal function"):
            instrument.write_bits(0, [0] * 16)
        assert instrument.read_bits(0, 16, READ_COILS) == [0] * 16


def test_a_broadcast_reaches_every_unit() -> None:
    cabinet = Cabinet()
    boards = ModbusRelays(cabinet, Random(1))
    with client(boards, unit=0) as everybody:
        everybody.write_bit(0, 1, WRITE_COIL)
        everybody.address = 3
        assert everybody.read_bit(0, READ_COILS) == 1
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [1, 17, 33]
    assert What.OVERLOAD in [entry.what for entry in cabinet.history]


def test_it_notices_the_faults_of_the_bus() -> None:
    cabinet = Cabinet()
    with client(ModbusRelays(cabinet, Random(1)), timeout=0.5) as instrument:
        cabinet.set_faults(NoReply(), time=0)
        with pytest.raises(minimalmodbus.NoResponseError):
            instrument.read_bits(0, 16, READ_INPUTS)
        cabinet.set_faults(FlippedBit(), time=0)
        with pytest.raises(minimalmodbus.ModbusException):
            instrument.read_bits(0, 16, READ_INPUTS)
        cabinet.set_faults(Echo(), time=0)
        instrument.handle_local_echo = True
        assert instrument.read_bits(0, 16, READ_INPUTS) == [1] * 16


def test_a_cu48_is_the_inverse_of_a_relay_board() -> None:
    cabinet = Cabinet(96)
    with client(ModbusCu48(cabinet, Random(1)), unit=2, baud=115200) as instrument:
        assert instrument.read_bits(0, 48, READ_COILS) == [1] * 48
        instrument.write_bit(47, 1, WRITE_COIL)
        assert cabinet.history == ()
        instrument.write_bit(47, 0, WRITE_COIL)
        assert instrument.read_bits(0, 48, READ_COILS) == [1] * 47 + [0]
    assert cabinet.compartment(96).pulses == 1
