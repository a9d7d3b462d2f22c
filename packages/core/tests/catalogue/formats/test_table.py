"""Services as CSV: what spreadsheets make of it is read or refused by name, and what is written is read as the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats import rows, table
from servicepunkt.core.catalogue.formats.model import Change, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.model import Catalogue, ExternalId, Link, Service

Read = Callable[..., list[Change]]
HEADER = b"id;name_de;leika\r\n"
LETTERS = st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufeff", include_characters="\n\t")
#: HTML that is not as `html.clean` writes it would be put right: here are plain texts, and some HTML that stays.
TEXT = st.text(LETTERS, min_size=1, max_size=30).filter(lambda text: not html.is_html(text)) | st.sampled_from(
    [
        "=1+1",
        "'=x",
        "''-",
        "@a",
        "\t+",
        "-",
        "＝2",
        "'",
        "'a",
        "a;b,c",
        'x"y',
        "<p>a <strong>b</strong></p>",
        " a ",
        "a\nb",
    ]
)
PLAIN = TEXT.filter(lambda text: not html.is_html(text))
WORD = st.text(LETTERS, min_size=1, max_size=12)
LINE = st.sampled_from(["ausweise", "wohnen", "a-1"])
URL = st.sampled_from(["https://a.example/", "https://b.example/x|y", "http://c.example/?q=%20\\"])
BY_LANGUAGE = st.dictionaries(st.sampled_from(["de", "en", "de-x-leicht"]), TEXT, max_size=3)


def in_order(links: list[Link]) -> tuple[Link, ...]:
    return tuple(sorted(links, key=lambda link: table.LINKS.index(link.kind)))


SERVICES = st.builds(
    Service,
    id=st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    name=st.dictionaries(st.sampled_from(["de", "en", "tr"]), PLAIN, min_size=1, max_size=2),
    official_name=st.dictionaries(st.just("de"), PLAIN, max_size=1),
    summary=BY_LANGUAGE,
    description=BY_LANGUAGE,
    fee=BY_LANGUAGE,
    duration=BY_LANGUAGE,
    ended=st.dictionaries(st.just("de"), TEXT, min_size=1, max_size=1),
    themes=st.lists(LINE, max_size=3).map(tuple),
    competence=st.sampled_from(["", "stadt"]),
    leika=st.lists(st.sampled_from(["99085001012000", "99085001040000"]), unique=True).map(tuple),
    keywords=st.lists(WORD, max_size=3).map(tuple),
    audience=st.lists(st.sampled_from(["001", "002"]), max_size=2).map(tuple),
    legal_basis=st.lists(WORD, max_size=2).map(tuple),
    links=st.lists(st.builds(Link, kind=st.sampled_from(table.LINKS), url=URL), max_size=4).map(in_order),
    visibility=st.sampled_from(["public", "staff"]),
    valid_from=st.none() | st.dates(),
    valid_until=st.none() | st.dates(),
    external=st.none() | st.builds(ExternalId, agency=WORD, value=WORD),
)


def upserts(found: list[Change]) -> list[Upsert]:
    assert all(isinstance(one, Upsert) for one in found), found
    return [one for one in found if isinstance(one, Upsert)]


def only(found: list[Change]) -> Refused:
    (one,) = found
    assert isinstance(one, Refused), one
    return one


def test_reads_what_it_says(changes: Read) -> None:
    content = (
        b"id;name_de;name_en;themes;leika;keywords;links_online;visibility;valid_from;external_agency;external_value\r\n"
        b'pass;"Pass; ""neu""";Passport;a|b;99085001012000|99085001040000;x\\|y|z;https://a.example/;staff;21.11.2026;L;7\r\n'
    )
    (one,) = upserts(changes(table.FORMAT, content))
    assert (one.kind, one.id, one.place, one.notes) == ("services", "pass", "services: line 2", ())
    assert one.record == {
        "id": "pass",
        "name": {"de": 'Pass; "neu"', "en": "Passport"},
        "themes": ["a", "b"],
        "leika": ["99085001012000", "99085001040000"],
        "keywords": ["x|y", "z"],
        "links": [{"kind": "online", "url": "https://a.example/"}],
        "visibility": "staff",
        "valid_from": "2026-11-21",
        "external": {"agency": "L", "value": "7"},
    }


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_delimiters_line_ends_and_marks(changes: Read, delimiter: str, end: str, mark: bytes) -> None:
    """The header decides: other delimiters in the rows do not count."""
    row = delimiter.join(["a", '"x;y,z\tü"', ""])
    content = mark + (delimiter.join(["id", "name_de", "leika"]) + end + row + end + end).encode()
    (one,) = upserts(changes(table.FORMAT, content))
    assert one.record == {"id": "a", "name": {"de": "x;y,z\tü"}}


def test_windows_1252_is_recognised_and_named(changes: Read) -> None:
    found = upserts(
        changes(table.FORMAT, HEADER + b"a;plain;\r\n" + "b;Gebühr € –;\r\n".encode("cp1252") + b"c;plain;\r\n")
    )
    assert [one.record["name"]["de"] for one in found] == ["plain", "Gebühr € –", "plain"]
    assert [bool(one.notes) for one in found] == [False, True, False]
    assert "Windows-1252" in found[1].notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\r\n", "'id' is missing"),
        (b"\xff\xfei\x00d\x00", "UTF-16"),
        ("id;name_de;prix;coût\r\n".encode(), "'prix' here; there is no column 'coût' here"),
        (b"id;name_de;id\r\n", "'id' stands there twice"),
        (b"name_de;leika\r\n", "'id' is missing"),
        (b"id;name_zz_;x\x00\r\n", "no column"),
        ("id;name_de\r\na;ü\r\n".encode() + b"b;\xfc\r\n", "line 3"),
        (b"\xef\xbb\xbfid;name_de\r\nb;\xfc\r\n", "line 2"),
        (b"id;name_de\r\nb;\xfc\x81\r\n", "line 2"),
        (b'id;name_de\r\na;ok\r\nb;"never closed\r\nc;x\r\n', "line 3: a quotation mark is not closed"),
        (b'id;name_de\r\na;"' + b"x" * 200_000 + b'"\r\n', "too long"),
        (b"id;name_de\r\n" + b"x" * (rows.MAX_ROW + 10), "longer than"),
        (b'id;name_de\r\n"' + b'a\n";"' * 600_000, "longer than"),
        (b";".join([b"id"] * 100_000) + b"\r\n", "columns"),
    ],
)
def test_files_that_cannot_be_read_on(changes: Read, content: bytes, words: str) -> None:
    with pytest.raises(SourceError) as error:
        changes(table.FORMAT, content)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"A B;x;", "no id"),
        (b";x;", "no id"),
        (b"a;x;9.9115E+13", "a spreadsheet has made a number"),
        (b"a;x;9,91150051E+13", "a spreadsheet has made a number"),
        (b"a;x;99115005104001.0", "a spreadsheet has made a number"),
        (b"a;x;9911500510400", "no key of 14 digits"),
        (b"a;x;10115005104000", "leika"),
        (b"a;;", "name"),
        (b"a;<b>x</b>;", "plain text"),
        (b"a;x\x00;", "U+0000"),
        (b"a;x\x1b[31m;", "U+001B"),
        (b"a;x", "the row has 2 cells, the header has 3"),
        (b"a;x;;;", "the row has 5 cells"),
        (b'a;"x"y;', "cannot be read"),
        (b"a;" + b"x" * 100_001 + b";", "letters"),
    ],
)
def test_rows_that_cannot_be_taken_over(changes: Read, row: bytes, words: str) -> None:
    found = changes(table.FORMAT, HEADER + row + b"\r\nother;x;\r\n")
    assert isinstance(found[1], Upsert)
    refused = only(found[:1])
    assert words in refused.reason
    assert (refused.place, refused.kind) == ("services: line 2", "services")


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (b"valid_from", b"31.02.2026", "valid_from"),
        (b"valid_from", b"46347", "valid_from"),
        (b"visibility", b"everybody", "visibility"),
        (b"links_form", b"javascript:alert(1)", "address"),
        (b"external_agency", b"L", "together"),
        (b"valid_until", b"2026-01-01", "ended"),
    ],
)
def test_columns_with_rules(changes: Read, header: bytes, row: bytes, words: str) -> None:
    assert words in only(changes(table.FORMAT, b"id;name_de;" + header + b"\na;x;" + row + b"\n")).reason


def test_a_key_with_a_leading_zero_stays_text(changes: Read) -> None:
    (one,) = upserts(changes(table.FORMAT, b"id,name_de,audience,external_agency,external_value\n007,x,001,L,0815\n"))
    assert (one.id, one.record["audience"], one.record["external"]["value"]) == ("007", ["001"], "0815")


def test_the_same_id_twice(changes: Read) -> None:
    first, second = changes(table.FORMAT, HEADER + b"a;x;\na;y;\n")
    assert isinstance(first, Upsert)
    assert "twice" in only([second]).reason


def test_lines_are_counted_over_cells_of_several_lines(changes: Read) -> None:
    found = changes(table.FORMAT, HEADER + b'a;"x\r\ny";\r\n\r\nB;z;\r\n')
    assert [one.place for one in found] == ["services: line 2", "services: line 5"]
    (one,) = upserts(found[:1])
    assert one.record["name"] == {"de": "x\ny"}


def test_scripts_are_taken_out_and_named(changes: Read) -> None:
    content = b"id;name_de;description_de\na;x;<p>good <em>so</em></p><script>bad</script>\n"
    (one,) = upserts(changes(table.FORMAT, content))
    assert one.record["description"] == {"de": "<p>good <em>so</em></p>"}
    assert one.notes == ("description_de: what may not be shown was taken out",)


def test_no_cell_is_a_formula(example: Catalogue, changes: Read, base: str) -> None:
    evil = [f"{first}HYPERLINK(1)" for first in "=+-@\t＝＋－＠"] + ["'=x", "\n=x"]
    services = [Service(id=f"s{number}", name={"de": text}) for number, text in enumerate(evil)]
    written = b"".join(table.write(Catalogue(services=tuple(services)), base))
    for row in csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""), delimiter=";"):
        assert not any(cell.startswith(tuple("=+-@\t\r\n＝＋－＠")) for cell in row)
    assert [one.record["name"]["de"] for one in upserts(changes(table.FORMAT, written))] == evil


def test_the_example_comes_back_as_far_as_the_table_goes(example: Catalogue, changes: Read, base: str) -> None:
    found = upserts(changes(table.FORMAT, b"".join(table.write(example, base))))
    services = {one.id: msgspec.convert(one.record, Service) for one in found}
    assert list(services) == [one.id for one in example.services]
    for one in example.services:
        for field in ("name", "summary", "description", "fee", "themes", "leika", "keywords", "external", "valid_from"):
            assert getattr(services[one.id], field) == getattr(one, field)


@settings(deadline=None, max_examples=80)
@given(services=st.lists(SERVICES, max_size=4, unique_by=lambda service: service.id))
def test_what_is_written_is_read_as_the_same(services: list[Service]) -> None:
    catalogue = Catalogue(services=tuple(services))
    written = b"".join(table.write(catalogue, ""))
    found = upserts(list(table.read({table.SERVICES: io.BytesIO(written)}, Limits())))
    assert [msgspec.convert(one.record, Service) for one in found] == services
    again = Catalogue(services=tuple(msgspec.convert(one.record, Service) for one in found))
    assert b"".join(table.write(again, "")) == written


PIECES = [
    b";",
    b",",
    b'"',
    b"\r",
    b"\n",
    b"id",
    b"name_de",
    b"leika",
    b"\x00",
    b"\xff",
    b"\xc3\xbc",
    b"'",
    b"=",
    b"\xef\xbb\xbf",
]


@settings(deadline=None, max_examples=300)
@given(body=st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=40).map(b"".join), header=st.booleans())
def test_whatever_the_bytes_are(body: bytes, header: bool) -> None:
    content = HEADER + body if header else body
    try:
        found = list(table.read({table.SERVICES: io.BytesIO(content)}, Limits()))
    except SourceError:
        return
    for one in found:
        assert isinstance(one, Upsert | Refused)
        if isinstance(one, Upsert):
            msgspec.convert(one.record, Service)


def test_limits(changes: Read) -> None:
    content = HEADER + b"a;x;\nb;x;\nc;x;\n"
    assert len(changes(table.FORMAT, content, Limits(records=3))) == 3
    with pytest.raises(SourceError, match="more than 2 records"):
        changes(table.FORMAT, content, Limits(records=2))
    with pytest.raises(SourceError, match="more than 10 bytes"):
        changes(table.FORMAT, content, Limits(bytes=10))


@dataclass
class Endless:
    """A file without an end: the reader keeps no more of it than a row."""

    number: int = 0
    rest: bytes = HEADER

    def read(self, size: int = -1) -> bytes:
        while len(self.rest) < size:
            self.number += 1
            self.rest += b"a%d;%s;\n" % (self.number, b"x" * 1000)
        found, self.rest = self.rest[:size], self.rest[size:]
        return found


def test_rows_come_while_the_file_is_read() -> None:
    file: Any = Endless()
    found: Iterator[Change] = table.read({table.SERVICES: file}, Limits())
    first = [next(found) for _ in range(100)]
    assert all(isinstance(one, Upsert) for one in first)
    assert file.number < 300


def test_a_file_that_ends_in_a_row(changes: Read) -> None:
    content = HEADER + b"a;x;\nb;y"
    assert isinstance(changes(table.FORMAT, content)[1], Refused)
    unfinished: BinaryIO = io.BytesIO(HEADER + b'a;"x')
    with pytest.raises(SourceError, match="not closed"):
        list(table.read({table.SERVICES: unfinished}, Limits()))
