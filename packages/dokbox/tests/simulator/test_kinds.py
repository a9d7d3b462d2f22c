"""The table of kinds: every row is whole, and its boards are as many as it says."""

from random import Random

import pytest

from servicepunkt.dokbox.simulator import DEFAULT_KIND, KINDS, Cabinet, Transmission
from servicepunkt.dokbox.simulator.kinds import describe_kinds

LAST_LOCKS = {
    "krcu16": (16, "02 0F 31 03 45"),
    "xor8a": (24, "8A 01 18 11 82"),
    "cu48": (48, "02 00 2F 61 03 95"),
    "modbus": (16, "01 05 00 0F FF 00 BC 39"),
    "modbus-cu48": (48, "01 05 00 2F 00 00 FC 03"),
}
"""By kind: how many locks the reference gives to a board, and what opens the last one of the first board."""


def test_the_names_are_what_other_places_know() -> None:
    assert list(KINDS) == ["krcu16", "xor8a", "cu48", "modbus", "modbus-cu48"]
    assert DEFAULT_KIND == "krcu16"


def test_the_paces_are_those_of_the_reference() -> None:
    """Of the CU48 with six bytes it says none; its maker's other board has 19200."""
    assert [kind.baud for kind in KINDS.values()] == [19200, 9600, 19200, 9600, 115200]


@pytest.mark.parametrize("name", KINDS)
def test_a_board_has_so_many_locks(name: str) -> None:
    locks, request = LAST_LOCKS[name]
    cabinet = Cabinet(locks * 2)
    sent = KINDS[name].build(cabinet, Random(0)).receive(bytes.fromhex(request), time=0)
    assert all(isinstance(reply, Transmission) for reply in sent)
    assert KINDS[name].locks_per_board == locks
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [locks]


def test_people_read_what_there_is_to_choose() -> None:
    assert "xor8a: 8A/80, 24 locks a board, 9600 baud; cu48: CU48, 48 locks" in describe_kinds()
