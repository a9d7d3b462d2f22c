"""Eleven thousand towns above one national layer: what a town costs on the disk and in memory, and its first question.

One tenant imports the national layer and shares it; 11,000 tenants stand in the directory and name it in their file. So
many as `PUBLISHED` have services of their own and are published by the product one after the other. Memory is measured
in a process that reads some of them, once with equal texts held once, and once with a copy for each town.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

import _processes as processes
import _report as report
import msgspec
import psycopg
from _centre import TENANT, Centre, centre

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.formats.model import Change, Format, Limits, Upsert
from servicepunkt.core.catalogue.model import Catalogue, Service
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.catalogue.sources import importing, national
from servicepunkt.core.catalogue.sources.importing import Wanted, import_files
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.settings import read_settings
from servicepunkt.core.tenancy.model import TenantContext

TENANTS = 11_000
NATIONAL = 4_800  # services of the national layer
OWN = 300  # services of a town
PUBLISHED = 120
ASKED = 30
SOURCE = "bund"
SENTENCES = (
    "Wer umzieht, meldet die neue Wohnung innerhalb von zwei Wochen an und bringt dafür den Ausweis mit.",
    "Die Gebühr ist bei der Antragstellung zu entrichten; wer wenig Einkommen hat, kann eine Ermäßigung beantragen.",
    "Zuständig ist die Stelle, in deren Bezirk Sie wohnen; andere nehmen den Antrag entgegen und geben ihn weiter.",
    "Gegen den Bescheid kann innerhalb eines Monats nach seiner Bekanntgabe Widerspruch erhoben werden.",
)


class Memory(msgspec.Struct, frozen=True):
    """Kilobytes that a process needs more for each town that it holds, and seconds of first and second questions."""

    kilobytes: float
    first: list[float]
    again: list[float]


def key_of(number: int) -> str:
    return f"99{number:06d}012000"[:14]


def national_texts(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:  # noqa: ARG001 - made, not read
    for number in range(NATIONAL):
        said = " ".join(f"{sentence} ({number})" for sentence in SENTENCES)
        record: dict[str, Any] = {
            "id": f"n{number}",
            "name": {"de": f"Amtliche Leistung {number}"},
            "leika": [key_of(number)],
            "summary": {"de": f"{SENTENCES[0]} Leistung {number}."},
            "modules": [
                {"code": code, "channel": "000", "text": {"de": f"{said} {code}"}} for code in ("09", "11", "25")
            ],
        }
        yield Upsert(kind="services", id=record["id"], record=record, place=str(number))


def own_services(town: int) -> Catalogue:
    """Three hundred of the national services, as this town names them."""
    numbers = (town * 37 + number * 16 for number in range(OWN))
    return Catalogue(
        services=tuple(
            Service(
                id=f"leistung-{number % NATIONAL}",
                name={"de": f"Leistung {number % NATIONAL}"},
                leika=(key_of(number % NATIONAL),),
                fee={"de": f"{town % 50} Euro"},
            )
            for number in numbers
        )
    )


@asynccontextmanager
async def deployed() -> Any:
    async with deployments.running(read_settings(os.environ)) as deployment:
        yield deployment


def measure(options: report.Options) -> report.Result:
    with centre() as made:
        fill(made)
        environment = made.environment() | {"SERVICEPUNKT_OWNER_DATABASE_URL": made.settings.owner_database_url}
        os.environ.update(environment)
        published = asyncio.run(publish_all(made))
        bytes_of_records, bytes_of_revisions = sizes(made)
        found: dict[str, list[Memory]] = {"held once": [], "a copy for each town": []}
        for number in range(options.runs):
            for name, values in found.items():
                command = [sys.executable, __file__, "--read", name]
                done = subprocess.run(command, capture_output=True, check=True, env=environment)
                values.append(msgspec.json.decode(done.stdout, type=Memory))
            report.say(f"memory, {number + 1} of {options.runs}")
    return result(published, bytes_of_records, bytes_of_revisions, found)


def fill(made: Centre) -> None:
    """So many tenants, copies of the reference tenant that name the national source."""
    with psycopg.connect(made.superuser, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tenant (id, slug, revision, updated_at, name, state, hosts, plugins, locale, languages, zone, "
            "subdivision, settings) SELECT g, 'town-' || g, g, updated_at, name, state, '{}', plugins, locale, "
            "languages, zone, subdivision, jsonb_build_object('catalogue', jsonb_build_object('national', "
            f"jsonb_build_array('{SOURCE}'))) FROM tenant, generate_series(2, {TENANTS}) AS g WHERE slug = '{TENANT}'"
        )
        connection.execute("VACUUM ANALYZE")


async def publish_all(made: Centre) -> list[float]:
    """Seconds of each publication, after the layer was imported and shared."""
    async with deployed() as deployment:
        donor = await deployment.directory.by_slug(TENANT)
        form = Format(name="made", parts=("made",), is_whole=True, read=national_texts)
        file = made.home / "made"
        file.touch()
        wanted = Wanted(source=SOURCE, format=form, files={"made": file}, layer="federation")
        await import_files(deployment.database, donor, wanted, actor="bench")
        owner = made.settings.owner_database_url
        await national.share(owner, deployment.clock, deployment.database, donor, SOURCE)
        took = []
        for town in towns(await deployment.directory.all(), PUBLISHED):
            async with deployment.database.tenant(town) as tx:
                await importing.put_files(tx, own_services(town.id), at=tx.now())
                started = time.perf_counter()
                await catalogues.publish_sources(tx, at=tx.now(), actor="bench")
                took.append(time.perf_counter() - started)
        report.say(f"{PUBLISHED} towns published")
        return took


def towns(every: list[TenantContext], count: int) -> list[TenantContext]:
    return [one for one in every if one.slug.startswith("town-")][:count]


def sizes(made: Centre) -> tuple[float, float]:
    """Bytes on the disk: of the national layer as it is shared, and of one town's revision."""
    with psycopg.connect(made.superuser, autocommit=True) as connection:
        [(shared,)] = connection.execute("SELECT pg_total_relation_size('national_service')").fetchall()
        [(revision,)] = connection.execute(
            "SELECT avg(pg_column_size(content) + pg_column_size(origins)) FROM catalogue_revision WHERE tenant_id > 1"
        ).fetchall()
    return float(shared), float(revision)


async def read(name: str) -> None:
    """What a process needs for the towns that it reads, and how long their first questions take."""
    if name != "held once":
        catalogues.share_texts = lambda _: None  # type: ignore[assignment]
    async with deployed() as deployment:
        every = towns(await deployment.directory.all(), PUBLISHED)
        reader = CatalogueReader(deployment.database)
        warm, rest = every[:20], every[20:]
        for town in warm:
            await reader.current(town)
        before = resident()
        for town in rest:
            await reader.current(town)
        kilobytes = (resident() - before) / len(rest)
        first, again = await questions(deployment, every[:ASKED])
    print(msgspec.json.encode(Memory(kilobytes, first, again)).decode())


async def questions(deployment: Deployment, asked: list[TenantContext]) -> tuple[list[float], list[float]]:
    reader, search, first, again = CatalogueReader(deployment.database), CatalogueSearch(), [], []
    for town in asked:
        for seconds in (first, again):
            started = time.perf_counter()
            answer = await search.search(await reader.current(town), "Wohnung anmelden")
            seconds.append(time.perf_counter() - started)
            assert answer.found
    return first[1:], again[1:]  # the first of all reads the lists of words


def resident() -> float:
    """Kilobytes of this process."""
    return processes.memory_mb(os.getpid())[0] * 1024


def result(published: list[float], shared: float, revision: float, found: dict[str, list[Memory]]) -> report.Result:
    held = {name: report.median([one.kilobytes for one in values]) for name, values in found.items()}
    first = [1000 * one for values in found.values() for memory in values for one in memory.first]
    again = [1000 * one for values in found.values() for memory in values for one in memory.again]
    apart = NATIONAL * TENANTS
    figures = {
        "publication of a town, ms": 1000 * report.median(published),
        "national layer, MB": shared / 1e6,
        "revision of a town, kB": revision / 1e3,
        "memory of a town, kB": held["held once"],
        "memory of a town, a copy each / held once": held["a copy for each town"] / held["held once"],
        "first question, ms": report.median(first),
        "second question, ms": report.median(again),
    }
    rows = [
        [f"national layer of {NATIONAL:,} services on the disk, for all", f"{shared / 1e6:.0f} MB"],
        [f"... records if each of {TENANTS:,} towns imported it", f"{apart:,} instead of {NATIONAL:,}"],
        [f"revision of a town with {OWN} services on the disk", f"{revision / 1e3:.0f} kB"],
        ["publication of a town", f"{report.spread([1000 * one for one in published])} ms"],
        ["memory of a town that is read, texts held once", f"{held['held once']:.0f} kB"],
        ["memory of a town that is read, a copy for each", f"{held['a copy for each town']:.0f} kB"],
        ["first question of a town: catalogue read, index built", f"{report.spread(first)} ms"],
        ["second question", f"{report.spread(again, '.1f')} ms"],
    ]
    note = (
        f"{PUBLISHED} towns were published; a process holds {catalogues.KEPT_TENANTS} catalogues at most. Memory is "
        f"the growth of the resident set over {PUBLISHED - 20} towns. Median (min to max)."
    )
    return report.Result([report.Table(f"{TENANTS:,} towns above one layer", ["what", "figure"], rows, note)], figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        asyncio.run(read(sys.argv[2]))
    else:
        report.main("national", measure, runs=2)
