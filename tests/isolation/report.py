"""Writes what probes and mutants found into docs/isolation.md: `python -m isolation.report TALLY RESULTS...`.

TALLY is the file of `nox -s isolation`, RESULTS are those of `nox -s mutants`; a lock that one run caught is caught.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from isolation.campaign import Tally
from isolation.mutants import Result
from isolation.survivors import explanation

PAGE = Path(__file__).resolve().parents[2] / "docs" / "isolation.md"
KINDS = {
    "filter": "a statement without `tenant_id ==`",
    "key": "0 in place of the tenant in a key, a lock or a value",
    "refusal": "a refusal that does not refuse",
    "gate": "a route without its guard",
}
BEST = ("caught", "survived", "unreached")


def main(arguments: list[str]) -> int:
    tally = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=Tally)
    lines = [line for name in arguments[1:] for line in Path(name).read_bytes().splitlines()]
    results = best(msgspec.json.decode(line, type=Result) for line in lines)
    write("probes", probes(tally))
    write("mutants", mutants(results))
    return 0


def best(results: Iterable[Result]) -> list[Result]:
    """For each lock the best that a run made of it."""
    found: dict[tuple[str, int, str], Result] = {}
    for one in sorted(results, key=lambda one: BEST.index(one.outcome)):
        found.setdefault((one.mutant.module, one.mutant.line, f"{one.mutant.kind} {one.mutant.source}"), one)
    return [found[place] for place in sorted(found)]


def probes(tally: Tally) -> str:
    answers = ", ".join(f"{count:,} × {status}" for status, count in sorted(tally.answers.items()))
    areas: Counter[str] = Counter()
    for route, count in tally.routes.items():
        areas[area_of(route)] += count
    return "\n\n".join(
        [
            f"**{tally.total:,} probes, {len(tally.leaks)} leaks**, over {len(tally.routes)} path templates; "
            f"{tally.changed:,} of them changed something of their own tenant. Answers: {answers}.",
            table(("who", "probes"), ((name, f"{count:,}") for name, count in tally.who.items())),
            table(("where the other tenant stands", "probes"), ((n, f"{c:,}") for n, c in tally.positions.items())),
            table(("routes", "probes"), ((f"`{name}`", f"{count:,}") for name, count in sorted(areas.items()))),
        ]
    )


def area_of(route: str) -> str:
    """The beginning of a path by which people speak of it: `/staff/deposits`."""
    parts = [part for part in route.split("/") if part and not part.startswith("{")]
    return "/" + "/".join(parts[: 3 if parts[:1] == ["api"] else 2 if parts[:1] == ["staff"] else 1])


def mutants(results: list[Result]) -> str:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in results:
        counts[one.mutant.kind][outcome_of(one)] += 1
    outcomes = ("caught", "explained", "survived", "unreached")
    overview = [
        (KINDS[kind], str(counts[kind].total()), *(str(counts[kind][name]) for name in outcomes)) for kind in KINDS
    ]
    living = [
        (
            f"`{place(one)}`",
            f"`{one.mutant.source}`",
            why(one) or outcome_of(one),
        )
        for one in results
        if one.outcome != "caught"
    ]
    caught = [
        (one.mutant.kind, f"`{place(one)}`", f"`{one.test.rpartition('/')[2]}`")
        for one in results
        if one.outcome == "caught"
    ]
    return "\n\n".join(
        [
            table(("one lock less", "all", *outcomes), overview),
            "**What no test notices, and why**" if living else "",
            table(("place", "lock", "why"), living) if living else "",
            "**What a test notices**",
            table(("lock", "place", "the test"), caught),
        ]
    )


def outcome_of(one: Result) -> str:
    return "explained" if one.outcome != "caught" and why(one) else one.outcome


def why(one: Result) -> str:
    return explanation(one.mutant.module, one.mutant.source)


def place(one: Result) -> str:
    return f"{one.mutant.module.removeprefix('servicepunkt.')}:{one.mutant.line}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(columns)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def write(name: str, text: str) -> None:
    """Replace what stands between the markers of `name`. Raises LookupError when the page has none."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    page, pattern = PAGE.read_text("utf-8"), re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    changed, count = pattern.subn(lambda _: f"{begin}\n{text}\n{end}", page)
    if count != 1:
        raise LookupError(f"{PAGE.name} has {count} places for {name}")
    PAGE.write_text(changed, "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
