"""Verify the journal of a box without touching it: the chain of hashes, and that every move is one of the table."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

import msgspec

from servicepunkt.dokbox import model
from servicepunkt.dokbox.errors import DokboxError
from servicepunkt.dokbox.model import Box, Deposit, Entry


class Verdict(msgspec.Struct, frozen=True):
    """How many entries hold, the hash of the last, the first fault if any, and what is in the box."""

    entries: int
    head: str
    fault: str
    deposits: list[Deposit]


def verify_journal(path: Path) -> Verdict:
    """Replay the journal at `path`, opened read-only; a controller may be running beside it only on a copy."""
    box, fault = Box(), ""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    try:
        for (body,) in connection.execute("SELECT body FROM entry ORDER BY seq"):
            box = model.apply(box, msgspec.json.decode(body, type=Entry))
    except (DokboxError, msgspec.DecodeError, sqlite3.DatabaseError, ValueError) as error:
        fault = f"after entry {box.seq}: {error}"
    finally:
        connection.close()
    deposits = sorted(box.deposits.values(), key=lambda deposit: deposit.compartment)
    return Verdict(box.seq, box.head, fault, deposits)
