"""The registry of board kinds, options given as text, and rules that hold for every request."""

from collections.abc import Sequence
from typing import Any

import pytest

from servicepunkt.dokbox import boards
from servicepunkt.dokbox.boards import base, krcu16


def test_krcu16_registers_itself() -> None:
    assert boards.kinds()["krcu16"].build is krcu16.KrCu16


@pytest.fixture
def sixth_kind(monkeypatch: pytest.MonkeyPatch) -> base.Kind:
    class Options(base.Options, frozen=True):
        locks: int = 1

        @property
        def places(self) -> Sequence[base.Place]:
            return self.in_rows(first=0, locks=self.locks)

    def build(options: Any, _table: Any) -> Any:
        return options

    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))
    kind = base.Kind(name="sixth", title="Sixth", options=Options, build=build)
    boards.register(kind)
    return kind


def test_new_kind_needs_no_more_than_registering(sixth_kind: base.Kind) -> None:
    assert getattr(boards.build_board("sixth", [("locks", "4")]), "locks", None) == 4


def test_name_belongs_to_one_kind(sixth_kind: base.Kind) -> None:
    boards.register(sixth_kind)
    with pytest.raises(ValueError, match="already registered"):
        boards.register(base.Kind(name="sixth", title="Sixth", options=sixth_kind.options, build=sixth_kind.build))


def test_options_are_read_from_text() -> None:
    board = boards.build_board(
        "krcu16",
        [("boards", "3"), ("compartments", "40"), ("latch_closed_bit", "0"), ("items", "false"), ("baud", "9600")],
    )
    assert (board.baudrate, len(board.table), board.boards) == (9600, 40, (0, 1, 2))
    reading = board.readings(krcu16.Frame(bytes.fromhex("02 00 35 FE FF 00 00 03 37")))[1]
    assert reading == base.Reading(closed=True, item=None)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(boards.BadSettingError) as caught:
        boards.build_board(
            "krcu16", [("boards", "11"), ("compartments", "many"), ("baud", "19201"), ("bords", "1"), ("boards", "2")]
        )
    mistakes = caught.value.mistakes
    assert [next(m for m in mistakes if word in m) for word in ("'11'", "'many'", "'19201'", "'bords'", "twice")]
    assert len(mistakes) == 5


def test_options_must_agree() -> None:
    with pytest.raises(boards.BadSettingError, match="17 compartments are too many for 1 board"):
        boards.build_board("krcu16", [("compartments", "17")])


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(boards.BadSettingError, match="krcu16"):
        boards.build_board("krcu17", [])


def test_request_that_moves_a_lock_cannot_have_a_second_try() -> None:
    with pytest.raises(ValueError, match="once"):
        base.Request(frame=b"\x02", deadline=0.0, tries=2, pulse=0.5)


def test_error_codes_are_unique_and_in_their_range() -> None:
    def tree(error: type[base.CabinetError]) -> list[type[base.CabinetError]]:
        return [error, *(deeper for child in error.__subclasses__() for deeper in tree(child))]

    codes = [error.code for error in tree(base.CabinetError)]
    assert len(set(codes)) == len(codes)
    assert all(code.startswith("SP32") and len(code) == 6 for code in codes)
