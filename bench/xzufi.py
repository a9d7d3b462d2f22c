"""99 MB of XZuFi: services a second and peak memory, beside parsers that look at each record and forget it.

Each reader runs in a process of its own over the same file, in turns. The peers do nothing with a record: no text is
cleaned, nothing is decoded. What the product takes more is what it makes of the records. At last the file is imported:
read, compared with what is there, and written down with a report row for each record, twice; the second time nothing
is new.
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import _processes as processes
import _report as report
import msgspec
from _centre import TENANT, centre
from lxml import etree

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue.formats import xzufi
from servicepunkt.core.catalogue.formats.model import Limits, Upsert
from servicepunkt.core.catalogue.formats.xzufi.names import NAMESPACES
from servicepunkt.core.catalogue.sources.importing import Wanted, import_files
from servicepunkt.core.settings import read_settings

NAMESPACE = NAMESPACES["2.2.0"]
MEGABYTES = 99
SCHREIBE = f"{{{NAMESPACE}}}schreibe"
WORDS = (
    "Wer umzieht, muss die neue Wohnung innerhalb von zwei Wochen anmelden. Sie kommen selbst oder schicken jemanden "
    "mit einer Vollmacht. Bringen Sie den Ausweis und die Bestätigung des Wohnungsgebers mit. "
)
HTML = escape(f'<p style="margin:0">{WORDS}</p><ul><li>Ausweis</li><li>Formular &amp; Foto</li></ul>')
MODULES = (
    ("02", "Wohnsitz Anmeldung"),
    ("03", "Umzug melden"),
    ("05", WORDS),
    ("06", HTML),
    ("11", HTML),
    ("09", WORDS),
)


class Measured(msgspec.Struct, frozen=True):
    """One reader in one process: CPU seconds, services, and how far its memory grew beyond that of the start."""

    seconds: float
    records: int
    peak_mb: float


def service(number: int) -> str:
    modules = "".join(
        f"<x:modulText><x:leikaTextmodul><code>{code}</code></x:leikaTextmodul>"
        f'<x:inhalt languageCode="de">{text}</x:inhalt></x:modulText>'
        for code, text in MODULES
    )
    return (
        f'<x:schreibe><x:leistung><x:id schemeAgencyID="L1">{number}</x:id>'
        f"<x:referenzLeiKa><code>99115005104000</code></x:referenzLeiKa>{modules}"
        "<x:modulKosten><x:kosten><x:kostenFix><x:betrag>12.50</x:betrag></x:kostenFix></x:kosten></x:modulKosten>"
        "<x:leistungsadressat><code>001</code></x:leistungsadressat></x:leistung></x:schreibe>\n"
    )


def online(number: int) -> str:
    return (
        f'<x:schreibe><x:onlinedienst><x:id schemeAgencyID="L1">{number}</x:id>'
        f"<x:link><x:link>https://example.org/{number}</x:link></x:link></x:onlinedienst></x:schreibe>\n"
        "<x:schreibe><x:zustaendigkeitTransferObjekt>"
        f'<x:uebergeordnetesObjektID schemeAgencyID="L1">{number}</x:uebergeordnetesObjektID><x:zustaendigkeit>'
        f'<x:id schemeAgencyID="L1">{number}</x:id><x:leistungID schemeAgencyID="L1">{number}</x:leistungID>'
        "<x:gebietID>066110000000</x:gebietID></x:zustaendigkeit></x:zustaendigkeitTransferObjekt></x:schreibe>\n"
    )


def message(path: Path, *, every_online: int) -> None:
    """A message of `MEGABYTES`; every so manieth service has an online service, 0 for none."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f'<x:t xmlns:x="{NAMESPACE}" xzufiVersion="2.2.0">\n')
        number = 0
        while file.tell() < MEGABYTES * 1_000_000:
            number += 1
            file.write(service(number))
            if every_online and number % every_online == 0:
                file.write(online(number))
        file.write("</x:t>\n")


def product(file: io.BufferedReader) -> Iterator[None]:
    for change in xzufi.read({"xzufi": file}, Limits()):
        assert isinstance(change, Upsert)
        if change.kind == "services":
            yield


def bare_lxml(file: io.BufferedReader) -> Iterator[None]:
    for _, element in etree.iterparse(file, tag=SCHREIBE, resolve_entities=False, no_network=True):
        yield from (None for _ in element.iter(f"{{{NAMESPACE}}}leistung"))
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def standard_library(file: io.BufferedReader) -> Iterator[None]:
    events = iter(ElementTree.iterparse(file, events=("start", "end")))
    _, root = next(events)
    for event, element in events:  # "start" too, because the root has to be known
        if event == "end" and element.tag == SCHREIBE:
            yield from (None for _ in element.iter(f"{{{NAMESPACE}}}leistung"))
            root.clear()


READERS: dict[str, Callable[[io.BufferedReader], Iterator[None]]] = {
    "servicepunkt": product,
    "lxml iterparse, bare": bare_lxml,
    "ElementTree iterparse, bare": standard_library,
}


def one_run(name: str, path: Path) -> Measured:
    done = subprocess.run([sys.executable, __file__, "--read", name, str(path)], capture_output=True, check=True)
    return msgspec.json.decode(done.stdout, type=Measured)


def read(name: str, path: str) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # what the imports needed for a moment does not count
    before = memory_mb("VmRSS")
    with Path(path).open("rb") as file:
        started = time.process_time()
        records = sum(1 for _ in READERS[name](file))
        seconds = time.process_time() - started
    print(msgspec.json.encode(Measured(seconds, records, memory_mb("VmHWM") - before)).decode())


def memory_mb(field: str) -> float:
    """Memory of this process. `getrusage` would count what its parent had when it was started."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) / 1024


def measure(options: report.Options) -> report.Result:
    rows, figures = [], {}
    with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as folder:
        path = Path(folder) / "message.xml"
        for title, every_online in (("services alone", 0), ("an online service for every tenth", 10)):
            message(path, every_online=every_online)
            found: dict[str, list[Measured]] = {name: [] for name in READERS}
            for number in range(options.runs):
                for name in READERS:
                    found[name].append(one_run(name, path))
                report.say(f"{title}: {number + 1} of {options.runs}")
            own = report.median([one.seconds for one in found["servicepunkt"]])
            for name, measured in found.items():
                rates = [one.records / one.seconds for one in measured]
                ratio = own / report.median([one.seconds for one in measured])
                peak = max(one.peak_mb for one in measured)
                rows.append([title, name, report.spread(rates), f"{ratio:.1f}", f"{peak:.0f}"])
                figures |= {f"{title}, {name}, a second": report.median(rates), f"{title}, {name}, MB": peak}
        rows_of_imports = imports(path, figures)
    columns = [
        "file",
        "reader",
        "services in a CPU-second",
        "servicepunkt takes so many times as long",
        "MB more than at the start",
    ]
    note = (
        f"Files of {MEGABYTES} MB. With online services the product reads the file twice: records are in no order, and "
        "an online service becomes a link of its services."
    )
    import_columns = [
        "import of services with an online service for every tenth",
        "records",
        "records a second",
        "CPU s of the product",
        "CPU s of PostgreSQL",
        "MB more than at the start",
    ]
    tables = [
        report.Table("Reading XZuFi", columns, rows, note),
        report.Table("From the file to records in the database", import_columns, rows_of_imports),
    ]
    return report.Result(tables, figures)


def imports(path: Path, figures: dict[str, float]) -> list[list[str]]:
    """The file taken over by the reference tenant of a new database, twice."""
    rows = []
    with centre() as made:
        for title in ("first", "again"):
            used, started = processes.cpu_seconds(made.database_pid), time.perf_counter()
            command = [sys.executable, __file__, "--import", str(path)]
            done = subprocess.run(command, capture_output=True, check=True, env=made.environment())
            elapsed, measured = time.perf_counter() - started, msgspec.json.decode(done.stdout, type=Measured)
            database = processes.cpu_seconds(made.database_pid) - used
            cells = [measured.records, measured.records / elapsed, measured.seconds, database, measured.peak_mb]
            rows.append([title, *(f"{value:,.0f}" for value in cells)])
            figures[f"import, {title}, a second"] = measured.records / elapsed
            figures[f"import, {title}, MB"] = measured.peak_mb
            report.say(f"import, {title}")
    return rows


async def import_into_database(path: str) -> None:
    """One import in this process, and what it took, as JSON."""
    async with deployments.running(read_settings(os.environ)) as deployment:
        ctx = await deployment.directory.by_slug(TENANT)
        assert ctx is not None
        before = memory_mb("VmRSS")
        started = time.process_time()
        wanted = Wanted(source="land", format=xzufi.FORMAT, files={"xzufi": Path(path)}, layer="land")
        outcome = await import_files(deployment.database, ctx, wanted, actor="bench")
        seconds = time.process_time() - started
    measured = Measured(seconds, sum(outcome.counts.values()), memory_mb("VmHWM") - before)
    print(msgspec.json.encode(measured).decode())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(*sys.argv[2:4])
    elif sys.argv[1:2] == ["--import"]:
        asyncio.run(import_into_database(sys.argv[2]))
    else:
        report.main("xzufi", measure, runs=2)
