"""The box's rules of plugins: lock boards of other packages, named in the entry-point group `servicepunkt.boards`."""

from __future__ import annotations

import random
from collections.abc import Iterator

from servicepunkt.core.conformance import Rule, Trouble
from servicepunkt.core.conformance.bench import Bench
from servicepunkt.core.conformance.candidate import loaded
from servicepunkt.dokbox.boards import Board, Kind, NoSuchBoardError, NoSuchCompartmentError, Request

GROUP = "servicepunkt.boards"
STREAMS = 200  # of random bytes, for each decoder


def boards(bench: Bench) -> list[Trouble]:
    """Every kind of the package with its options as they are unless given."""
    return [
        trouble
        for name, reference in bench.candidate.points.get(GROUP, {}).items()
        for trouble in _kind(name, loaded(reference))
    ]


def _kind(name: str, kind: object) -> Iterator[Trouble]:
    if not isinstance(kind, Kind):
        yield Trouble(name, f"a Kind is wanted, not {type(kind).__name__}")
        return
    if kind.name != name:
        yield Trouble(name, f"the kind calls itself {kind.name!r}")
    for row in kind.frames:
        try:
            bytes.fromhex(row.example)
        except ValueError:
            yield Trouble(f"{name}: {row.name}", "the example of the table of frames is not hexadecimal")
    board = kind.build(kind.options(), None)
    yield from (Trouble(name, sentence) for sentence in (*_locks(board), *_states(board), *_decoders(board)))


def _locks(board: Board) -> Iterator[str]:
    frames: dict[bytes, int] = {}
    for compartment in board.table:
        request = board.unlock(compartment)
        if not request.pulse:
            yield f"opening {compartment} says not how long its lock draws current"
        if (other := frames.setdefault(request.frame, compartment)) != compartment:
            yield f"one frame opens {other} and {compartment}"
    if not _refuses(lambda: board.unlock(max(board.table) + 1), NoSuchCompartmentError):
        yield "opening a compartment that is not there raises no NoSuchCompartmentError"


def _states(board: Board) -> Iterator[str]:
    for number in board.boards:
        for request in (board.status(number), *board.polls(number), *board.rest(number)):
            if request.pulse:
                yield f"asking board {number} moves a lock"
    if not _refuses(lambda: board.status(max(board.boards) + 1), NoSuchBoardError):
        yield "asking a board that is not there raises no NoSuchBoardError"


def _refuses(ask: object, error: type[Exception]) -> bool:
    try:
        ask()  # type: ignore[operator]
    except error:
        return True
    return False


def _decoders(board: Board) -> Iterator[str]:
    """Whatever comes over the line, a decoder never raises, and what it holds back stays small."""
    chance = random.Random(1)  # noqa: S311 - the same bytes each time
    asked: list[Request] = [board.unlock(min(board.table)), *(board.status(number) for number in board.boards)]
    for request in asked:
        for _ in range(STREAMS):
            decoder = board.decoder(request)
            noise = request.frame + chance.randbytes(chance.randint(1, 80))
            try:
                for byte in noise:
                    decoder.feed(bytes([byte]))
            except Exception as error:  # noqa: BLE001 - that it raises is what is looked for
                yield f"the decoder raises {type(error).__name__} for {noise.hex(' ')}"
                return
            if len(decoder.pending) > len(noise):
                yield "the decoder holds back more than it was given"
                return


RULES = (
    Rule(
        name="boards",
        wants="lock boards open one door a frame, ask without moving a lock, and read any noise without raising",
        remedy="Follow the how-to of lock boards; their tests show more.",
        check=boards,
    ),
)
