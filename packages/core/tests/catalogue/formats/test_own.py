"""Our own TOML: what is written is read as the same catalogue, by tomllib alone too; mistakes have their place."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicepunkt.core.catalogue.checks import mistakes
from servicepunkt.core.catalogue.formats import own
from servicepunkt.core.catalogue.formats.model import Change, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.model import CAPABILITIES, MODULES, Catalogue, Fee, Service

Read = Callable[..., list[Change]]
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | st.sampled_from(
    [
        '"""',
        '""',
        'a"',
        'a\n"',
        "\\",
        "\n",
        "\r\n",
        "\\\n",
        "''",
        "\x00",
        "\x7f",
        "[[services]]",
        "\n[[services]]\n",
        "#",
        "ü🙂",
    ]
)


def catalogue_of(found: list[Change]) -> Catalogue:
    assert all(isinstance(one, Upsert) for one in found), found
    lists: dict[str, list[Any]] = {kind: [] for kind in own.ENTRIES}
    for one in found:
        assert isinstance(one, Upsert)
        # As an import does it: the record goes through JSON.
        record = msgspec.json.decode(msgspec.json.encode(one.record))
        lists[one.kind].append(msgspec.convert(record, own.ENTRIES[one.kind], strict=False))
    return Catalogue(**{kind: tuple(entries) for kind, entries in lists.items()})


def written(catalogue: Catalogue) -> bytes:
    return b"".join(own.write(catalogue, "https://stadt.example"))


def test_the_example_comes_back(example: Catalogue, changes: Read) -> None:
    body = written(example)
    again = catalogue_of(changes(own.FORMAT, body))
    assert again == example
    assert mistakes(again) == []
    assert written(again) == body


def test_how_it_looks(changes: Read) -> None:
    service = Service(
        id="pass",
        name={"de": "Pass", "de-x-leicht": 'Ein "Pass"'},
        description={"de": "Eins\n\nZwei"},
        keywords=("a", "b"),
        fees=(Fee(amount=Decimal("70.00")),),
    )
    assert written(Catalogue(services=(service,))).decode() == (
        "[[services]]\n"
        'id = "pass"\n'
        'name.de = "Pass"\n'
        'name.de-x-leicht = "Ein \\"Pass\\""\n'
        'description.de = """\nEins\n\nZwei"""\n'
        'keywords = ["a", "b"]\n'
        "\n"
        "[[services.fees]]\n"
        'amount = "70.00"\n'
    )


def test_tomllib_reads_the_same_without_us(example: Catalogue) -> None:
    document = tomllib.loads(written(example).decode())
    assert set(document) == set(own.ENTRIES)
    for kind, entry in own.ENTRIES.items():
        assert tuple(msgspec.convert(document[kind], list[entry])) == getattr(example, kind)  # type: ignore[valid-type]


def test_an_empty_catalogue_is_not_an_empty_file(changes: Read) -> None:
    assert changes(own.FORMAT, written(Catalogue())) == []
    with pytest.raises(SourceError, match="holds nothing"):
        changes(own.FORMAT, b"# nothing\n")


def test_places_and_lines(changes: Read) -> None:
    content = b"""\
# a comment
[[services]]
id = "a"
name.de = "A"

  [[ "services" ]] # the second
id = "B"
name.de = "B"

[[themes]]
id = "t"
name = { de = "T" }
colour = "red"

[[services]]
id = "a"
name.de = "A"

[[machines]]
id = "x"
"""
    found = changes(own.FORMAT, content)
    assert [(type(one).__name__, one.place) for one in found] == [
        ("Upsert", "catalogue: [[services]] 1 (line 2)"),
        ("Refused", "catalogue: [[services]] 2 (line 6)"),
        ("Refused", "catalogue: [[services]] 3 (line 15)"),
        ("Refused", "catalogue: [[themes]] 1 (line 10)"),
        ("Refused", "catalogue: machines"),
    ]
    reasons = [one.reason for one in found if isinstance(one, Refused)]
    for reason, words in zip(reasons, ["small letters", "twice", "colour", "does not exist here"], strict=True):
        assert words in reason


def test_without_lines_where_they_cannot_be_told(changes: Read) -> None:
    inline = changes(own.FORMAT, b'services = [{id = "a", name.de = "A"}]\n')
    assert inline[0].place == "catalogue: [[services]] 1"
    in_a_text = b'[[services]]\nid = "a"\nname.de = """\n[[services]]\n"""\n'
    assert changes(own.FORMAT, in_a_text)[0].place == "catalogue: [[services]] 1"


def test_amounts_are_exact(changes: Read) -> None:
    (one,) = changes(own.FORMAT, b'[[services]]\nid = "a"\nname.de = "A"\nfees = [{amount = 37.50}, {amount = 28}]\n')
    assert isinstance(one, Upsert)
    assert [fee.amount for fee in msgspec.convert(one.record, Service).fees] == [Decimal("37.50"), Decimal(28)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'id = "\xff"', "utf-8"),
        (b"[[services]\n", "line 1"),
        (b'[[services]]\nid = "a', "end of document"),
        (b"x = " + b"[" * 100_000, "recursion"),
        (b"x = " + b"9" * 10_000, "digits"),
        (b"x = 1\nx = 2\n", "overwrite"),
        (b"a" + b".a" * 200_000 + b" = 1", "64 parts"),
        (b"[" + b'"a" .' * 200_000 + b"a]", "64 parts"),
        (b"\x00", "line 1"),
    ],
)
def test_files_that_cannot_be_read(changes: Read, content: bytes, words: str) -> None:
    with pytest.raises(SourceError) as error:
        changes(own.FORMAT, content)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"services = 1", "list of tables"),
        (b"services = [1]", "object"),
        (b'[[areas]]\nars = "0661"\nname = "x"', "digits"),
        (b'[[areas]]\nars = 6611\nname = "x"', "str"),
        (b'[[services]]\nid = "a"\nname.de = "a\\u0000b"', "U+0000"),
        (b'[[services]]\nid = "a"', "name"),
        (b'[[services]]\nid = "a"\nname.de = "x"\nvalid_from = 10:00:00', "valid_from"),
        (b'[[services]]\nid = "a"\nname.de = "x"\ndescription.de = "<p onclick=1>x</p>"', "not shown"),
        (b'[[services]]\nid = "a"\nname.de = "x"\nfees = [{amount = -1}]', "negative"),
    ],
)
def test_entries_that_cannot_be_taken_over(changes: Read, content: bytes, words: str) -> None:
    (one,) = changes(own.FORMAT, content)
    assert isinstance(one, Refused)
    assert words in one.reason


def test_limits(changes: Read, example: Catalogue) -> None:
    with pytest.raises(SourceError, match="more than 2 records"):
        changes(own.FORMAT, written(example), Limits(records=2))
    with pytest.raises(SourceError, match="more than 100 bytes"):
        changes(own.FORMAT, written(example), Limits(bytes=100))


TEXT = st.dictionaries(st.sampled_from(["de", "en", "de-x-leicht", 'a"b.c', ""]), WORDS, max_size=2)
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "id": st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True),
    "can": st.lists(st.sampled_from(CAPABILITIES), max_size=2),
    "code": st.sampled_from(list(MODULES)),
}


@cache
def of_type(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of the model, as JSON has it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        needed, others = {}, {}
        for field in msgspec.structs.fields(kind):
            (needed if field.required else others)[field.name] = SPECIAL.get(field.name, of_field(field))
        return st.fixed_dictionaries(needed, optional=others)
    return by_info(msgspec.inspect.type_info(kind))


def of_field(field: msgspec.structs.FieldInfo) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: by_info(msgspec.inspect.type_info(field.type)))


def by_info(info: Any) -> st.SearchStrategy[Any]:
    match info:
        case msgspec.inspect.StructType(cls=cls):
            return of_type(cls)
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(by_info(item), max_size=2)
        case msgspec.inspect.DictType():
            return TEXT
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of([by_info(one) for one in types if not isinstance(one, msgspec.inspect.NoneType)])
        case msgspec.inspect.StrType():
            return WORDS
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType():
            return st.integers(-(10**12), 10**12)
        case msgspec.inspect.DateType():
            return st.dates().map(lambda day: day.isoformat())
        case msgspec.inspect.DecimalType():
            return st.decimals(allow_nan=False, allow_infinity=False).map(str)
        case _:
            raise AssertionError(info)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_is_written_is_read_as_the_same(data: st.DataObject) -> None:
    """Every kind with any text at all, by tomllib: what an import refuses has to be written rightly, too."""
    lists = {
        kind: tuple(msgspec.convert(one, entry) for one in data.draw(st.lists(of_type(entry), max_size=2)))
        for kind, entry in own.ENTRIES.items()
    }
    catalogue = Catalogue(**lists)
    document = tomllib.loads(written(catalogue).decode())
    for kind, entry in own.ENTRIES.items():
        assert tuple(msgspec.convert(document.get(kind, []), list[entry])) == getattr(catalogue, kind)  # type: ignore[valid-type]


PIECES = [
    b"[[services]]\n",
    b'id = "a"\n',
    b"name.de = ",
    b'"""',
    b'"',
    b"\n",
    b"[",
    b"{",
    b"= ",
    b".",
    b"\xff",
    b"\x00",
    b"1e9",
]


@settings(deadline=None, max_examples=300)
@given(content=st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=30).map(b"".join))
def test_whatever_the_bytes_are(content: bytes) -> None:
    try:
        found = list(own.read({own.CATALOGUE: io.BytesIO(content)}, Limits()))
    except SourceError:
        return
    assert all(isinstance(one, Upsert | Refused) for one in found)
