"""The official directory of municipalities (Destatis, GV-ISys) as GV100AD, and postcodes as CSV. Read only.

GV100AD is text of fixed width, 220 letters a line, UTF-8 (older editions ISO 8859-1). Letters of a line, from 0:

    0-2 kind (10 Land, 20 government region, 30 region, 40 district, 50 association, 60 municipality) · 2-10 the day
    of the data (YYYYMMDD) · 10-15 Land, region and district of the key · 15-18 municipality · 18-22 association ·
    22-72 name · 72-122 seat · 122-124 type · 165-170 postcode of the seat · 170-175 `*****` where there are more

Destatis describes the record in a PDF inside the archive, which could not be had here. This layout was read off a real
file (GV100AD_301123.txt, in github.com/theodm/python-gemeindeverzeichnis at b469fc12) and agrees with two other
readers: openpotato/openplzapi.gv100ad at 155cc63a (`Municipality.cs`) and WZBSocialScienceCenter/gemeindeverzeichnis.
A key is 10-15, then 18-22, then 15-18: digits of the association stand in the middle of an ARS. Government regions and
regions lie in no key of ours and are passed over. The file knows no successors of municipalities that have ended.

The part `postcodes` has the columns `ars` and `plz`, a row for each pair: the file itself knows one postcode for each
municipality. The directory may be used with the source named: "Statistisches Bundesamt (Destatis)".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, BinaryIO

from servicepunkt.core.catalogue.checks import POSTCODE
from servicepunkt.core.catalogue.formats import rows
from servicepunkt.core.catalogue.formats.model import Change, Format, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.formats.texts import LEGACY_NOTE, Decoder, control_characters, lines, spoilt_key

DIRECTORY, POSTCODES = "directory", "postcodes"
LAND, DISTRICT, ASSOCIATION, MUNICIPALITY = "10", "40", "50", "60"
PASSED_OVER = ("20", "30")
MORE_POSTCODES = "it has more postcodes than that of its seat"
ARS_DIGITS = 12
_SHORTEST = {LAND: 23, DISTRICT: 23, ASSOCIATION: 23, MUNICIPALITY: 170}


def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """An Upsert for each Land, district, association and municipality. Raises SourceError."""
    postcodes: dict[str, _Postcodes] = {}
    if POSTCODES in files:
        yield from _postcodes(files[POSTCODES], limits, postcodes)
    decoder = Decoder(DIRECTORY)
    known: set[str] = set()
    for number, raw in enumerate(lines(files[DIRECTORY], DIRECTORY, limits.bytes), start=1):
        line = decoder.decode(raw).rstrip("\r\n")
        if not line.strip(" \x1a") or line[:2] in PASSED_OVER:
            continue
        if number > limits.records:
            raise SourceError(f"{DIRECTORY}: more than {limits.records} records")
        place = f"{DIRECTORY}: line {number}"
        key, name, reason = _key_and_name(line)
        if not reason and key in known:
            reason = f"the key {key} stands there twice"
        if reason:
            yield Refused(place=place, kind="areas", id=key, reason=reason)
            continue
        known.add(key)
        record: dict[str, Any] = {"ars": key, "name": name}
        notes = [LEGACY_NOTE] * (decoder.is_legacy and not line.isascii())
        if line[:2] == MUNICIPALITY:
            own = postcodes.pop(key, _Postcodes(0)).found
            seat = line[165:170]
            if found := sorted({*own, *([seat] if POSTCODE.match(seat) else [])}):
                record["postcodes"] = found
            if line[170:175].strip() and not own:
                notes.append(MORE_POSTCODES)
        yield Upsert(kind="areas", id=key, record=record, place=place, notes=tuple(notes))
    if not known:
        raise SourceError(f"{DIRECTORY}: there is no record of the directory of municipalities in it")
    for key, one in postcodes.items():
        place = f"{POSTCODES}: line {one.line}"
        yield Refused(place=place, kind="areas", id=key, reason=f"the directory has no municipality {key}")


def _key_and_name(line: str) -> tuple[str, str, str]:
    """The key and the name of a record, and why it cannot be taken over."""
    kind = line[:2]
    if kind not in _SHORTEST:
        return "", "", f"{kind!r} is no kind of record"
    if len(line) < _SHORTEST[kind]:
        return "", "", f"the line ends after {len(line)} letters"
    land, district, municipality, association = line[10:12], line[10:15], line[15:18], line[18:22]
    key = {LAND: land, DISTRICT: district, ASSOCIATION: district + association}.get(
        kind, district + association + municipality
    )
    if not re.fullmatch(r"[0-9]+", key, re.ASCII):
        return "", "", f"{key!r} is no key: it has digits alone"
    name = line[22:72].strip()
    if not name or control_characters(name):
        return key, name, "the name is missing, or has a character that no text has"
    try:
        date.fromisoformat(f"{line[2:6]}-{line[6:8]}-{line[8:10]}")
    except ValueError:
        return key, name, f"{line[2:10]!r} is no day (YYYYMMDD)"
    return key, name, ""


class _Postcodes:
    """The postcodes of a municipality, and the line of the first."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.found: set[str] = set()


def _postcodes(file: BinaryIO, limits: Limits, found: dict[str, _Postcodes]) -> Iterator[Refused]:
    """Postcodes by key into `found`; what cannot be read is refused."""
    for row in rows.read(
        file, POSTCODES, "areas", limits, is_column=lambda name: name in ("ars", "plz"), required=("ars", "plz")
    ):
        if isinstance(row, Refused):
            yield row
            continue
        key, postcode = (row.cells.get(name, "").strip() for name in ("ars", "plz"))
        place = f"{POSTCODES}: line {row.line}"
        problems = [reason for reason in (spoilt_key(key, ARS_DIGITS), spoilt_key(postcode, 5)) if reason]
        if problems:
            yield Refused(place=place, kind="areas", id=key[:80], reason="; ".join(problems))
        else:
            found.setdefault(key, _Postcodes(row.line)).found.add(postcode)


FORMAT = Format(name="gv100ad", parts=(DIRECTORY, POSTCODES), is_whole=True, read=read)
