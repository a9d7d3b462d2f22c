"""The directory of municipalities as GV100AD: keys, names, postcodes, and every way in which a line may be wrong.

The lines are written here after the layout, with names that are made up.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.core.catalogue.checks import area_mistakes
from servicepunkt.core.catalogue.formats import areas
from servicepunkt.core.catalogue.formats.model import Change, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.model import Area

Read = Callable[..., list[Change]]


def line(kind: str, key: str, name: str, *, seat: str = "", postcode: str = "", more: bool = False) -> str:
    """A line of 220 letters. `key` is an ARS as far as it goes."""
    place = key[:5].ljust(5) + key[9:].ljust(3) + key[5:9].ljust(4)
    found = f"{kind}20260630{place}{name:<50}{seat:<50}".ljust(165)
    return (found + postcode.ljust(5) + "*" * (5 if more else 0)).ljust(220) + "\r\n"


DIRECTORY = "".join(
    [
        line("10", "06", "Hessen", seat="Wiesbaden"),
        line("20", "066", "Reg.-Bez. Nord", seat="Musterstadt"),
        line("40", "06611", "Musterstadt, Hafenstadt", seat="Musterstadt"),
        line("50", "066110000", "Musterstadt, Hafenstadt"),
        line("60", "066110000000", "Musterstadt, Hafenstadt", postcode="34117", more=True),
        line("40", "06633", "Umland", seat="Musterstadt"),
        line("50", "066330003", "Nebenan, Stadt"),
        line("60", "066330003003", "Nebenan, Stadt", postcode="34225"),
        line("30", "0811", "Region Stuttgart"),
        line("60", "082365004040", "Mühlstadt, Stadt", postcode="75417"),
    ]
)


def upserts(found: list[Change]) -> dict[str, Upsert]:
    assert all(isinstance(one, Upsert) for one in found), found
    return {one.id: one for one in found if isinstance(one, Upsert)}


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_reads_every_level_that_has_a_key(changes: Read, encoding: str) -> None:
    found = upserts(changes(areas.FORMAT, DIRECTORY.encode(encoding)))
    assert {key: one.record["name"] for key, one in found.items()} == {
        "06": "Hessen",
        "06611": "Musterstadt, Hafenstadt",
        "066110000": "Musterstadt, Hafenstadt",
        "066110000000": "Musterstadt, Hafenstadt",
        "06633": "Umland",
        "066330003": "Nebenan, Stadt",
        "066330003003": "Nebenan, Stadt",
        "082365004040": "Mühlstadt, Stadt",
    }
    assert found["066110000000"].place == "directory: line 5"
    assert found["066110000000"].notes == (areas.MORE_POSTCODES,)
    assert found["066330003003"].record["postcodes"] == ["34225"]
    assert bool(found["082365004040"].notes) is (encoding != "utf-8")
    made = [Area(**{**one.record, "postcodes": tuple(one.record.get("postcodes", ()))}) for one in found.values()]
    assert area_mistakes(made, (), services=set(), authorities=set()) == []


def test_postcodes_come_from_their_own_list(changes: Read) -> None:
    postcodes = b"ars;plz\n066110000000;34134\n066110000000;34117\n066110000000;34134\n"
    found = upserts(changes(areas.FORMAT, {"directory": DIRECTORY.encode(), "postcodes": postcodes}))
    assert found["066110000000"].record["postcodes"] == ["34117", "34134"]
    assert found["066110000000"].notes == ()
    assert found["066330003003"].record["postcodes"] == ["34225"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("66110000000;34117", "has 11 digits instead of 12: a spreadsheet has taken its leading zero away"),
        ("6,6611E+10;34117", "a spreadsheet has made a number"),
        ("06611000;34117", "no key of 12 digits"),
        ("066110000000;1234", "has 4 digits instead of 5"),
        ("066110000000;", "no key of 5 digits"),
        ("066119999999;34117", "the directory has no municipality"),
        ("066110000;34117", "no key of 12"),
        ("066110000000", "1 cells"),
        ("٠٦٦١١٠٠٠٠٠٠٠;34117", "no key of 12"),
    ],
)
def test_postcodes_that_cannot_be_taken_over(changes: Read, row: str, words: str) -> None:
    files = {"directory": DIRECTORY.encode(), "postcodes": f"ars;plz\n{row}\n".encode()}
    (refused,) = [one for one in changes(areas.FORMAT, files) if isinstance(one, Refused)]
    assert words in refused.reason
    assert refused.place == "postcodes: line 2"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (line("70", "06", "x"), "no kind of record"),
        ("x\n", "no kind of record"),
        (line("10", "06", ""), "the name is missing"),
        (line("10", "AB", "x"), "no key"),
        (line("60", "066110000000", "x")[:150] + "\n", "ends after 150 letters"),
        (line("60", "06611000", "x", postcode="34117"), "no key"),
        (line("10", "07", "x").replace("20260630", "20261330"), "no day"),
        (line("10", "07", "x\x00y"), "no text has"),
        (line("10", "06", "Hessen"), "twice"),
    ],
)
def test_lines_that_cannot_be_taken_over(changes: Read, broken: str, words: str) -> None:
    *good, last = changes(areas.FORMAT, (DIRECTORY + broken).encode())
    assert len(upserts(good)) == 8
    assert isinstance(last, Refused)
    assert words in last.reason
    assert last.place == "directory: line 11"


@pytest.mark.parametrize("content", [b"", b"\r\n", b"<html><body>moved</body></html>", b"\xff\xfe1\x000\x00"])
def test_something_else_altogether(changes: Read, content: bytes) -> None:
    with pytest.raises(SourceError):
        changes(areas.FORMAT, content)


def test_limits(changes: Read) -> None:
    with pytest.raises(SourceError, match="more than 3 records"):
        changes(areas.FORMAT, DIRECTORY.encode(), Limits(records=3))
    with pytest.raises(SourceError, match="bytes"):
        changes(areas.FORMAT, DIRECTORY.encode(), Limits(bytes=1000))
    with pytest.raises(SourceError, match="longer than"):
        changes(areas.FORMAT, b"10" + b"x" * 3_000_000)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_whatever_the_bytes_are(data: st.DataObject) -> None:
    content = bytearray(DIRECTORY.encode()[: data.draw(st.integers(0, 2300))])
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(content)))
        content[at:at] = data.draw(st.binary(max_size=3))
    postcodes = data.draw(st.none() | st.binary(max_size=30).map(lambda body: b"ars;plz\n" + body))
    files = {"directory": io.BytesIO(bytes(content))} | ({"postcodes": io.BytesIO(postcodes)} if postcodes else {})
    try:
        found = list(areas.read(files, Limits()))
    except SourceError:
        return
    assert all(isinstance(one, Upsert | Refused) for one in found)
