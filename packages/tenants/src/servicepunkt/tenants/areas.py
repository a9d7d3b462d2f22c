"""The official names and keys of Germany's districts and municipalities, to be looked up. See data/README.md.

The list is of 1 January 2016: what is missing in it may be newer.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec
from rapidfuzz import fuzz, process, utils

#: The first two digits of a key and the Land's code (ISO 3166-2 without the country).
LANDS: Mapping[str, str] = {
    "01": "SH", "02": "HH", "03": "NI", "04": "HB", "05": "NW", "06": "HE", "07": "RP", "08": "BW",
    "09": "BY", "10": "SL", "11": "BE", "12": "BB", "13": "MV", "14": "SN", "15": "ST", "16": "TH",
}  # fmt: skip
NEAR = 75.0
#: Letters that German writes with two when it has no others.
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
MUNICIPALITY = 12


class Area(msgspec.Struct, frozen=True):
    """`ars`: 5 digits for a district, 9 for an association, 12 for a municipality."""

    ars: str
    name: str
    kind: str

    @property
    def ags(self) -> str:
        """The municipality's key of eight digits: the one of twelve without its association."""
        return self.ars[:5] + self.ars[9:]

    @property
    def called(self) -> str:
        """Kind and name, as people say it: 'Landkreis Oberhavel', but 'Schwalm-Eder-Kreis'."""
        has_kind = any(word in self.name.lower() for word in ("kreis", "region"))
        return self.name if has_kind else f"{self.kind} {self.name}"

    @property
    def land(self) -> str:
        """The Land's code, such as HE."""
        return LANDS.get(self.ars[:2], "")


@cache
def areas() -> Mapping[str, Area]:
    """Every area by its key."""
    packed = files("servicepunkt.tenants").joinpath("data/areas.tsv.gz").read_bytes()
    rows = csv.reader(io.StringIO(gzip.decompress(packed).decode()), delimiter="\t")
    return {ars: Area(ars, name, kind) for ars, name, kind in rows}


@cache
def municipalities() -> Mapping[str, Area]:
    """The municipalities by their key of eight digits."""
    return {area.ags: area for area in areas().values() if len(area.ars) == MUNICIPALITY}


def district_of(area: Area) -> Area | None:
    """The district, or the town itself where it is one."""
    return areas().get(area.ars[:5])


def find(name: str, *, most: int = 9) -> Sequence[Area]:
    """Municipalities of this name, else those that it begins and those that come near, the nearest first."""
    wanted = folded(name)
    if not wanted:
        return []
    known = {area.ags: folded(area.name) for area in _inhabited()}
    same = [ags for ags, folded_name in known.items() if folded_name == wanted]
    begun = [ags for ags, folded_name in known.items() if folded_name.startswith(f"{wanted} ")]
    near = process.extract(wanted, known, scorer=fuzz.ratio, score_cutoff=NEAR, limit=most)
    found = same or dict.fromkeys([*begun, *(ags for _, _, ags in near)])
    return [municipalities()[ags] for ags in found][:most]


@cache
def _inhabited() -> Sequence[Area]:
    return [area for area in municipalities().values() if not area.kind.startswith("Gemeindefrei")]


def folded(name: str) -> str:
    """A name to compare by: without capitals, signs and umlauts."""
    return str(utils.default_process(name.translate(UMLAUTS)))
