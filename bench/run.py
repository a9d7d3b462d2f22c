"""Run all benchmarks, or those named, and write their tables into docs/benchmarks.md between its markers."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib.metadata import version

import _report as report
import msgspec

NAMES = (
    "pages",
    "deposit",
    "unlock",
    "bus",
    "start",
    "tenants",
    "check",
    "flood",
    "console",
    "guard",
    "hours",
    "search",
    "xzufi",
    "national",
    "box_years",
    "eid",
    "eid_wallet",
)
PAGE = report.folder().parent / "docs" / "benchmarks.md"
LIBRARIES = ("litestar", "uvicorn", "sqlalchemy", "psycopg", "msgspec", "cryptography", "jinja2")
OPTIONAL = {"uvloop": "event loop", "httptools": "parser"}


def main() -> int:
    """0 when every benchmark ended well; the tables of those that did are written all the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all if left out")
    parser.add_argument("--peers", default=sys.executable, help="a Python that has bench/peers.txt installed")
    parser.add_argument("--runs", help="how often each figure is measured; each benchmark's own number if left out")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    failed = []
    for name in given.names or NAMES:
        found = run_one(name, given.peers, given.runs)
        if found is None:
            failed.append(name)
            continue
        report.show(found)
        if not given.dry_run:
            write(name, report.markdown(found))
            write("machine", circumstances(found, given.peers))
    if failed:
        report.say(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


def run_one(name: str, peers: str, runs: str | None) -> report.Report | None:
    """A benchmark in a process of its own, so that none inherits the memory of another."""
    command = [sys.executable, str(report.folder() / f"{name}.py"), "--json", "--peers", peers]
    command += ["--runs", runs] if runs else []
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return msgspec.json.decode(done.stdout, type=report.Report) if done.returncode == 0 else None


def circumstances(found: report.Report, peers: str) -> str:
    """The machine and the versions, for the page."""
    installed = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Machine: {found.machine}. PostgreSQL: the embedded one, on the same machine. {installed}. "
        f"uvicorn's {fast_parts()}. {peer_versions(peers)}"
        "\n\nAll of it again: `python3 noxfile.py -s bench`, or `python bench/run.py --peers PYTHON` with a Python "
        "that has `bench/peers.txt`."
    )


def fast_parts() -> str:
    present = []
    for name, part in OPTIONAL.items():
        try:
            present.append(f"{part} is {name} {version(name)}")
        except ModuleNotFoundError:
            present.append(f"{part} is the one in Python, because {name} is not installed")
    return ", its ".join(present)


def peer_versions(python: str) -> str:
    program = "import django, rest_framework as r; print(f'Django {django.__version__}, REST framework {r.VERSION}.')"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "Without the peers of bench/peers.txt."


def write(name: str, text: str) -> None:
    """Replace what stands between the markers of `name`. Raises LookupError when the page has none."""
    begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    page = PAGE.read_text(encoding="utf-8")
    changed, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL
    )
    if count != 1:
        raise LookupError(f"{PAGE.name} has {count} places for {name}")
    PAGE.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
