"""`tenant check` of a large file, against what reading the same bytes costs: tomllib alone, and the decoder as well.

The large file is the reference tenant's with its services and offers again under other ids, until it is as large as a
file may be; the broken one has a misspelt key in each of them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _report as report

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import decoding, files
from servicepunkt.tenants.checking import Checked, check

TENANT = "kassel"
COPIED = "wohnen.toml"
LARGE = "catalogue/copies.toml"
FULL = 0.95


def measure(options: report.Options) -> report.Result:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as folder:
        deployment = deployments.without_database(Settings(home=Path(folder)))
        plain = files.folder_of(TENANT)
        large, broken = (made(Path(folder) / name, broken=name == "broken") for name in ("large", "broken"))
        rows, figures = [], dict[str, float]()
        for name, town in {"the reference tenant": plain, "a large file": large, "the same, broken": broken}.items():
            row = row_of(lambda town=town: check(deployment, town), town, options.runs)
            figures |= {f"{name}: CPU ms": row["check"], f"{name}: check / tomllib": row["check"] / row["tomllib"]}
            rows.append(
                [
                    name,
                    f"{row['bytes'] / 1024:,.0f} KiB",
                    f"{row['findings']:,.0f}",
                    f"{row['tomllib']:,.0f} ms",
                    f"{row['decoded']:,.0f} ms",
                    f"{row['check']:,.0f} ms",
                    f"{row['check'] / row['tomllib']:.1f}",
                ]
            )
            report.say(f"{name}: {row['check']:,.0f} ms")
    columns = ["folder", "size", "findings", "tomllib", "and decoded", "check", "check / tomllib"]
    note = f"CPU time of one process, best of {options.runs}."
    return report.Result([report.Table("Checking a tenant", columns, rows, note)], figures)


def made(folder: Path, *, broken: bool) -> Path:
    """The reference tenant with copies of its entries, as many as one file may hold."""
    shutil.copytree(files.folder_of(TENANT), folder)
    text = (folder / "catalogue" / COPIED).read_text("utf-8")
    parts = [
        part for part in re.split(r"(?m)^(?=\[\[\w+\]\]$)", text) if part.startswith(("[[services]]", "[[offers]]"))
    ]
    copies: list[str] = []
    size, number = 0, 0
    while size < FULL * files.MAX_FILE:
        number += 1
        copy = "".join(re.sub(r'(?m)^(id|service) = "([^"]*)"$', rf'\1 = "\2-{number}"', part) for part in parts)
        copies.append(copy.replace("non_digital", "non_digitel") if broken else copy)
        size += len(copies[-1].encode())
    (folder / LARGE).write_text("".join(copies[:-1]), "utf-8")
    return folder


def row_of(act: Callable[[], Checked], town: Path, runs: int) -> dict[str, float]:
    texts = [path.read_text("utf-8") for path in sorted(town.rglob("*.toml")) if path.name != "story.toml"]

    def parsed() -> list[dict[str, Any]]:
        return [tomllib.loads(text) for text in texts]

    def decoded() -> None:
        for content in parsed():
            entries = {kind: content[kind] for kind in Catalogue.__struct_fields__ if kind in content}
            decoding.decode(entries, Catalogue)

    return {
        "bytes": sum(len(text.encode()) for text in texts),
        "findings": len(act().findings),
        "tomllib": best(parsed, runs),
        "decoded": best(decoded, runs),
        "check": best(act, runs),
    }


def best(act: Callable[[], object], runs: int) -> float:
    """Milliseconds of CPU."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        act()
        times.append(1000 * (time.process_time() - started))
    return min(times)


if __name__ == "__main__":
    report.main("check", measure, runs=3)
