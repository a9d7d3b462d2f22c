"""The power is cut at random moments: what was acknowledged is there, and the campaign finds what is not.

The short form; `nox -s power_loss -- --cuts N` is the long one.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from powercut import disk
from powercut.campaign import campaign, open_again
from powercut.disk import Acknowledged, Begun, Disk, Platter

from servicepunkt.dokbox.errors import DiskError, JournalError


def test_no_acknowledged_entry_is_lost() -> None:
    outcome = campaign(1200, seed=random.randrange(10**6))
    assert outcome.cuts == 1200
    assert outcome.acknowledged > 100
    assert outcome.bad == ()


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_the_campaign_finds_what_other_settings_lose(synchronous: str) -> None:
    outcome = campaign(250, seed=1, pragmas={"synchronous": synchronous})
    assert len(outcome.bad) > 25


def test_a_damaged_journal_is_found(tmp_path: Path) -> None:
    """Bytes that nobody wrote: neither SQLite's own check nor the chain lets them through."""
    outcome = campaign(50, seed=2)
    assert outcome.bad == ()
    with pytest.raises((DiskError, JournalError)):
        open_again({"journal.sqlite": b"SQLite format 3\x00" + bytes(range(256)) * 64}, tmp_path / "cut")


def test_what_is_synced_stays_and_what_is_not_may_go() -> None:
    made = Disk({"a": b"old"})
    inode = made.names["a"]
    made.write(inode, 0, b"new")
    made.sync(inode, folder=False)
    made.write(inode, 3, b" and more")
    images = set()
    for seed in range(50):
        platter = Platter.of(made.start, "")
        for operation in made.operations:
            platter.take(operation)
        images.add(platter.cut(random.Random(seed))["a"])
    assert all(image.startswith(b"new") for image in images)
    assert {b"new", b"new and more"} <= images


def test_a_name_is_kept_with_its_folder() -> None:
    made = Disk()
    made.sync(made.create("a"), folder=False)
    found = []
    for folder in (False, True):
        made.sync(made.names["a"], folder=folder)
        platter = Platter.of(made.start, "")
        for operation in made.operations:
            platter.take(operation)
        found.append({"a" in platter.cut(random.Random(seed)) for seed in range(50)})
    assert found == [{True, False}, {True}]


def test_only_the_transaction_on_its_way_may_be_there_or_not() -> None:
    platter = Platter.of({}, "empty")
    platter.take(Begun("one"))
    assert platter.allowed == {"empty", "one"}
    platter.take(Acknowledged("one"))
    assert platter.allowed == {"one"}


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=2000))
def test_sectors_put_together_are_the_write(offset: int, data: bytes) -> None:
    pieces = disk.sectors(offset, data)
    assert b"".join(piece for _, piece in pieces) == data
    assert all(start // disk.SECTOR == (start + len(piece) - 1) // disk.SECTOR for start, piece in pieces)
    whole, pieced = bytearray(100), bytearray(100)
    disk.change(whole, offset, data)
    for start, piece in pieces:
        disk.change(pieced, start, piece)
    assert whole == pieced
