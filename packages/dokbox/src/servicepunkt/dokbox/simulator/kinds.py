"""The kinds of boards that can be simulated, in one table; to add one, write its class and its row."""

from collections.abc import Callable, Mapping
from random import Random

import msgspec

from servicepunkt.dokbox.simulator import cu48, krcu16, modbus, xor8a
from servicepunkt.dokbox.simulator.boards import Boards
from servicepunkt.dokbox.simulator.model import Cabinet


class Kind(msgspec.Struct, frozen=True):
    """One kind of boards; ``baud`` is the pace they come with, ``build`` gives those of one bus.

    ``build`` raises ValueError if the cabinet needs more boards than a bus carries.
    """

    title: str
    baud: int
    locks_per_board: int
    build: Callable[[Cabinet, Random], Boards]


KINDS: Mapping[str, Kind] = {
    "krcu16": Kind("KR-CU16", 19200, krcu16.LOCKS_PER_BOARD, krcu16.KrCu16Boards),
    "xor8a": Kind("8A/80", 9600, xor8a.CHANNELS_PER_BOARD, xor8a.Xor8aBoards),
    "cu48": Kind("CU48", 19200, cu48.LOCKS_PER_BOARD, cu48.Cu48Boards),
    "modbus": Kind("Modbus relays and inputs", 9600, modbus.DEFAULT_RELAYS, modbus.ModbusRelays),
    "modbus-cu48": Kind("CU48 with its Modbus profile", 115200, modbus.CU48_LOCKS, modbus.ModbusCu48),
}
DEFAULT_KIND = "krcu16"


def describe_kinds() -> str:
    """One line for people who choose: each kind with its title, its locks a board and its pace."""
    return "; ".join(
        f"{name}: {kind.title}, {kind.locks_per_board} locks a board, {kind.baud} baud" for name, kind in KINDS.items()
    )
