"""What must hold for a decoder of lock boards whatever the bytes; fed by the fuzzer, and by its kept corpus in CI."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from servicepunkt.dokbox import boards
from servicepunkt.dokbox.boards import Board, BoardError, Frame, Kind, Request

CORPUS = Path(__file__).parent / "corpus"
OPTIONS = {"osdp": [("key", "env:FUZZ_OSDP_KEY")]}
MOST_HELD_BACK = 256
CUTS = 8  # bytes of an input before the stream: which request, and where the stream is cut


def made(kind: Kind) -> Board:
    os.environ["FUZZ_OSDP_KEY"] = bytes(range(16)).hex()
    return boards.build_board(kind.name, OPTIONS.get(kind.name, []))


def requests(board: Board) -> list[Request]:
    first = board.boards[0]
    unlock = board.unlock(1)
    follow = [unlock.follow] if unlock.follow else []
    return [unlock, board.status(first), *follow, *board.rest(first), *board.polls(first)]


def target(kind: Kind) -> Callable[[bytes], None]:
    board = made(kind)
    asked = requests(board)
    known = set(board.table)

    def run(data: bytes) -> None:
        if len(data) < CUTS:
            return
        cuts, stream = data[:CUTS], data[CUTS:]
        request = asked[cuts[0] % len(asked)]
        decoder = board.decoder(request)
        seen = b""
        start = 0
        for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts[1:]), len(stream)]:
            for event in decoder.feed(stream[start:cut]):
                seen += event.raw
                if isinstance(event, Frame):
                    try:
                        answers = board.answers(request, event)
                    except BoardError:
                        continue
                    if answers and not set(board.readings(event)) <= known:
                        raise AssertionError("a reading of no compartment")
            start = cut
            if len(decoder.pending) >= MOST_HELD_BACK:
                raise AssertionError("too much is held back")
        if seen + decoder.pending != stream:
            raise AssertionError("bytes were lost or made up")

    return run


def kept(name: str) -> set[bytes]:
    """The corpus of a kind."""
    path = CORPUS / f"{name}.txt"
    return {bytes.fromhex(line) for line in path.read_text().splitlines()} if path.exists() else set()


def keep(name: str, inputs: set[bytes]) -> None:
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{name}.txt").write_text("".join(f"{data.hex()}\n" for data in sorted(inputs)))
