"""Write `cases.tsv`: tenant files that are broken in one place each, with the codes that must be named.

    python tests/tenants/broken/make.py > tests/tenants/broken/cases.tsv

Each kind of slip is described here with its codes, by what the format says and not by what the checker answers; it is
made in the two good packs wherever it fits, spread over their files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
PACKS = {
    "kassel": ROOT / "reference_kassel/src/servicepunkt_reference_kassel/tenant",
    "hohen-neuendorf": ROOT / "examples/hohen_neuendorf/src/servicepunkt_example_hohen_neuendorf/tenant",
}
REQUIRED = {
    "tenant": "slug name ags subdivision",
    "hosts": "id name kind hours",
    "points": "id name host",
    "points.address": "street postcode town",
    "partners": "id name kind",
    "themes": "id name",
    "services": "id",
    "services.documents": "text",
    "offers": "service point provider can non_digital",
    "responsibilities": "service authority",
    "dokbox.boxes": "id point name compartments",
    "dokbox.documents": "type name",
}
REFERENCES = {"host", "point", "provider", "service", "competence", "accepted_for"}
CHOICES = {"kind", "data_protection", "can", "steps", "channel", "coverage", "state"}
HOURS = {"hours", "staffed"}
#: How many cases of one kind are kept.
MOST = 14


class Slip(NamedTuple):
    """A line that was changed, and the codes that must be named; those of warnings are not compared."""

    kind: str
    line: int
    new: str
    codes: str


def slips(text: str, *, in_catalogue: bool) -> Iterator[Slip]:
    table = ""
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if header := re.match(r"^\[\[?([a-z0-9_.]+)\]\]?$", line):
            table = header[1]
            yield Slip("bracket missing", number, line[:-1], "SP1006")
            # With tables inside the list would begin a second time.
            following = next((one for one in lines[number:] if one.startswith("[[")), "")
            if in_catalogue and line == "[[services]]" and not following.startswith("[[services."):
                yield Slip("list misspelt", number, "[[servces]]", "SP1012")
            continue
        found = re.match(r"^(\w+)((?:\.\w+)*) = (.+)$", line)
        if found and not line.startswith("schema"):
            yield from _of_value(table, number, line, found[1], found[2], found[3], lines)


def _of_value(table: str, number: int, line: str, key: str, dots: str, value: str, lines: list[str]) -> Iterator[Slip]:
    required = key in REQUIRED.get(table, "").split()
    is_alone = not dots or sum(other.startswith(f"{key}.") for other in lines[max(0, number - 3) : number + 2]) < 2
    missing = " SP1013" if required and is_alone else ""
    if len(key) > 3:
        yield Slip("key misspelt", number, line.replace(key, key[:2] + key[3:], 1), f"SP1012{missing}")
    if value.startswith('"') and value.endswith('"'):
        yield Slip("quotation mark missing", number, line[:-1], "SP1006")
        if key in CHOICES:
            yield Slip("no choice", number, f'{key}{dots} = "{value[1:-2]}"', "SP1014")
        elif not dots and key != "hours":
            yield Slip("number for text", number, f"{key} = 7", "SP1015")
        if key in REFERENCES and table in ("points", "offers", "services"):
            yield Slip("reference misspelt", number, f'{key} = "{value[1:-1]}x"', "SP2103")
        if key in HOURS and table in ("hosts", "points", "offers"):
            yield Slip("hours", number, f'{key} = "Mo 25:00"', "SP2132")
            yield Slip("hours of schools", number, f'{key} = "SH off"', "SP2133")
        if dots in (".de", ".en") and key in ("summary", "description", "fee", "non_digital", "intro"):
            yield Slip("unsafe", number, f'{key}{dots} = "<script>x</script>"', "SP2123")
            yield Slip(
                "no language",
                number,
                f"{key}.deutsch = {value}",
                "SP2120" + (" SP1056" if key == "non_digital" and dots == ".de" else ""),
            )
    elif value.startswith("["):
        if key in CHOICES:
            yield Slip("no choice in a list", number, line.replace('"', '"x', 1), "SP1014")
        yield Slip("text for a list", number, f'{key} = "x"', "SP1015")
        if key == "leika":
            yield Slip("no key", number, 'leika = ["123"]', "SP2111")
        if key == "themes":
            yield Slip("theme misspelt", number, line.replace('"]', 'x"]'), "SP2103")
    elif re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        yield Slip("no such day", number, f"{key} = 2026-02-30", "SP1006")
        yield Slip("text for a day", number, f'{key} = "soon"', "SP1015")
    elif value.isdigit():
        yield Slip("text for a number", number, f'{key} = "many"', "SP1015")
        if key in ("compartments", "code_digits", "hold_days"):
            yield Slip("too little", number, f"{key} = 0", "SP1016")
            yield Slip("too much", number, f"{key} = 9999", "SP1017")
    elif value in ("true", "false"):
        yield Slip("text for yes or no", number, f'{key} = "yes"', "SP1015")


def main() -> None:
    found: dict[str, list[tuple[str, str, Slip]]] = {}
    for pack, folder in PACKS.items():
        for path in (folder / "tenant.toml", *sorted((folder / "catalogue").glob("*.toml"))):
            name = path.relative_to(folder).as_posix()
            for slip in slips(path.read_text("utf-8"), in_catalogue="/" in name):
                found.setdefault(slip.kind, []).append((pack, name, slip))
    sys.stdout.write("pack\tfile\tline\tcodes\tkind\tnew\n")
    for kind, cases in found.items():
        step = max(1, len(cases) // MOST)
        for pack, name, slip in cases[::step][:MOST]:
            sys.stdout.write(f"{pack}\t{name}\t{slip.line}\t{slip.codes}\t{kind}\t{slip.new}\n")


if __name__ == "__main__":
    main()
