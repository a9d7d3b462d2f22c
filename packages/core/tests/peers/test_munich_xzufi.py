"""A real catalogue, the 287 services of Munich, goes to XZuFi and back without a loss.

Needs `CATALOGUE_DATA`: a folder with `munich_dldb/services_de.json` and `locations_de.json`, which the City of Munich
publishes in it-at-m/eappointment (zmsautomation/src/main/resources/dldb). Skipped without it.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicepunkt.core.catalogue.formats import dldb, xzufi
from servicepunkt.core.catalogue.formats.model import Change, Limits, Upsert
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.records import ENTRIES

FOLDER = Path(os.environ.get("CATALOGUE_DATA", "nowhere")) / "munich_dldb"
#: What XZuFi has no word for, or says in another way than the file did.
NO_WORDS = {("responsibilities", "booking"), ("services", "competence")}
FEW = {("services", "name"), ("services", "links")}  # two spaces in a row; one address under two names

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the catalogue of Munich is absent: CATALOGUE_DATA")


def collected(changes: Iterable[Change]) -> Catalogue:
    found: dict[str, list[Any]] = {}
    for change in changes:
        assert isinstance(change, Upsert), change
        found.setdefault(change.kind, []).append(msgspec.convert(change.record, ENTRIES[change.kind]))
    return Catalogue(**{kind: tuple(entries) for kind, entries in found.items()})


def read(content: bytes) -> Catalogue:
    return collected(xzufi.read({"xzufi": io.BytesIO(content)}, Limits()))


def test_munich_comes_back() -> None:
    with (FOLDER / "services_de.json").open("rb") as services, (FOLDER / "locations_de.json").open("rb") as locations:
        files = {"services": services, "locations": locations}
        catalogue = collected(change for change in dldb.read(files, Limits()) if isinstance(change, Upsert))
    assert len(catalogue.services) > 250
    content = b"".join(xzufi.write(catalogue))
    again = read(content)
    assert again == catalogue
    assert b"".join(xzufi.write(again)) == content
    rests = [json.loads(found) for found in re.findall(rb"<\?servicepunkt (.*?)\?>", content)]
    fields = [(rest["kind"], field) for rest in rests for field in rest["record"]]
    assert set(fields) <= NO_WORDS | FEW
    assert sum(field in FEW for field in fields) < 10
