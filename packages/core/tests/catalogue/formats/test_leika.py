"""The list of services as it is given out: keys that a spreadsheet may have spoilt, laws with their addresses."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.formats import leika
from servicepunkt.core.catalogue.formats.model import Change, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.layers import Sourced, merge
from servicepunkt.core.catalogue.sources.importing import record_mistakes

LIST = Path(__file__).parents[6] / "shared" / "data" / "catalogue" / "leika_nrw_ozg" / "leika_2019_nrw.csv"
HEADER = "leistungsschluessel,bezeichnung,typisierung,rechtsgrundlage\n"
LAW = "§ 9 PAuswG [https://example.org/9], § 10 PAuswG [kaputt] und mehr"


def read(body: bytes) -> list[Change]:
    return list(leika.read({"leika": io.BytesIO(body)}, Limits()))


def test_a_key_has_its_official_name_and_its_law() -> None:
    [found] = read(f'{HEADER}99079001012000,Personalausweis  Ausstellung,2/3,"{LAW}"\n'.encode())
    assert isinstance(found, Upsert)
    assert record_mistakes(found) == []
    assert found.record == {
        "id": "leika-99079001012000",
        "leika": ["99079001012000"],
        "name": {"de": "Personalausweis Ausstellung"},
        "official_name": {"de": "Personalausweis Ausstellung"},
        "legal_basis": [{"citation": "§ 9 PAuswG", "url": "https://example.org/9"}, "§ 10 PAuswG", "und mehr"],
    }
    own = Sourced("files", {"id": "perso", "name": {"de": "Personalausweis"}})
    merged = merge([Sourced("leika", found.record), own]).record
    assert (merged["name"], merged["official_name"]) == (
        {"de": "Personalausweis"},
        {"de": "Personalausweis Ausstellung"},
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("9,91E+13,x,,", "5 cells|made a number"),
        ("9.9079E+13,x,,", "made a number of this key"),
        ("99079001012000,,,", "a service has a name"),
        ("123,x,,", "is no key of 14 digits"),
        ("99079001012000,a\x00b,,", "no text has"),
    ],
)
def test_a_row_that_is_none_is_one_bad_row(row: str, reason: str) -> None:
    found = read(f"{HEADER}{row}\n99085001012000,Reisepass,,\n99085001012000,Noch einmal,,\n".encode())
    refused = [one.reason for one in found if isinstance(one, Refused)]
    assert [one.id for one in found if isinstance(one, Upsert)] == ["leika-99085001012000"]
    assert len(refused) == 2
    assert any(part in refused[0] for part in reason.split("|"))
    assert "stands there twice" in refused[1]


@given(st.binary(max_size=400))
def test_bytes_at_random_are_a_list_or_none(noise: bytes) -> None:
    with contextlib.suppress(SourceError):
        read(HEADER.encode() + noise)


@pytest.mark.skipif(not LIST.is_file(), reason="the list of services is not beside this repository")
def test_the_real_list_is_read_whole() -> None:
    found = read(LIST.read_bytes())
    assert len(found) == 4813
    assert not [one for one in found if isinstance(one, Refused)]
    laws = [one for one in found if isinstance(one, Upsert) and one.record.get("legal_basis")]
    assert len(laws) > 2000
    assert all(record_mistakes(msgspec.structs.replace(one)) == [] for one in laws[:200])
