"""Search: what is found, how fast, and what an index costs, beside three engines with their own German, same texts.

The texts are Munich's services (beside this repository, see the README there); the larger collections add the official
names of the national list of services, and then copies of these with a number, as other towns' services. The judged
queries are those of `tests/search`. A name of the national list that means the same as Munich's service counts as a
miss, for every engine. Without that folder the services of the installed tenant packs are searched, and nothing else.
"""

from __future__ import annotations

import csv
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import _report as report
import msgspec
import psycopg
import tantivy

from servicepunkt.core.catalogue.formats import dldb
from servicepunkt.core.catalogue.formats.model import Limits, Upsert
from servicepunkt.core.catalogue.model import Catalogue, Service
from servicepunkt.core.catalogue.search.documents import documents
from servicepunkt.core.catalogue.search.index import Document, Index
from servicepunkt.core.catalogue.search.synonyms import shipped
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import embedded_postgres
from servicepunkt.tenants import files

ROOT = report.folder().parent
DATA = ROOT.parent / "shared" / "data" / "catalogue"
SIZES = (300, 5_600, 200_000)
TOP = 3
Search = Callable[[str], list[str]]


class Case(msgspec.Struct, frozen=True):
    """One collection: its documents and the queries with what is meant."""

    name: str
    documents: list[Document]
    judged: list[tuple[str, set[str]]]


def judged(place: str, prefix: str) -> list[tuple[str, set[str]]]:
    found = []
    for path in sorted((ROOT / "tests" / "search").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if wanted := {prefix + one for one in row[place].split("|") if one}:
                    found.append((row["query"], wanted))
    return found


def cases() -> list[Case]:
    munich = DATA / "munich_dldb" / "services_de.json"
    if not munich.is_file():
        pack, _ = files.documents_of(files.installed_packs()["kassel"])
        services = [one for file in pack.values() for one in file.content.get("services", ())]
        found = documents(Catalogue(services=msgspec.convert(services, tuple[Service, ...])))
        return [Case(f"{len(found)} services of a pack", found, judged("kassel", ""))]
    with munich.open("rb") as file:
        changes = [one for one in dldb.read({"services": file}, Limits()) if isinstance(one, Upsert)]
    records = [one.record for one in changes if one.kind == "services" and one.record["visibility"] == "public"]
    town = documents(Catalogue(services=msgspec.convert(records, tuple[Service, ...])))
    with (DATA / "leika_nrw_ozg" / "leika_2019_nrw.csv").open(encoding="utf-8", newline="") as file:
        national = [(row["leistungsschluessel"], row["bezeichnung"]) for row in csv.DictReader(file)]
    queries, made = judged("munich", "dldb-"), []
    for size in SIZES:
        more: list[Document] = []
        number = 0
        while size > SIZES[0] and len(town) + len(more) < size:
            key, name = national[number % len(national)]
            copy = number // len(national)
            more.append(Document(id=f"n{number}-{key}", name=name if not copy else f"{name} Gemeinde {copy}"))
            number += 1
        made.append(Case(f"{len(town) + len(more):,}", [*town, *more], queries))
    return made


def text_of(one: Document) -> str:
    return " ".join((*one.keywords, one.summary, one.body))


def ours(found: list[Document]) -> Search:
    index = Index(found, shipped())
    return lambda query: [one.id for one in index.search(query, limit=TOP).found]


def plain_tantivy(found: list[Document]) -> Search:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    for name in ("name", "text"):
        builder.add_text_field(name, tokenizer_name="german")
    index = tantivy.Index(builder.build())
    analyser = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase())
    index.register_tokenizer("german", analyser.filter(tantivy.Filter.stemmer("german")).build())
    writer = index.writer(50_000_000, 1)
    for one in found:
        writer.add_document(tantivy.Document(id=[one.id], name=[one.name], text=[text_of(one)]))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(query: str) -> list[str]:
        words = "".join(sign if sign.isalnum() else " " for sign in query)
        parsed = index.parse_query(words.lower(), ["name", "text"], field_boosts={"name": 6.0})
        return [searcher.doc(address)["id"][0] for _, address in searcher.search(parsed, TOP).hits]

    return search


def fts5(found: list[Document]) -> Search:
    database = sqlite3.connect(":memory:")
    tokens = "tokenize='unicode61 remove_diacritics 2'"
    database.execute(f"CREATE VIRTUAL TABLE d USING fts5(id UNINDEXED, name, text, {tokens})")
    database.executemany("INSERT INTO d VALUES (?, ?, ?)", ((one.id, one.name, text_of(one)) for one in found))
    database.commit()

    def search(query: str) -> list[str]:
        words = [f'"{word}"' for word in "".join(s if s.isalnum() else " " for s in query).split()]
        asked = " OR ".join(words)
        sql = "SELECT id FROM d WHERE d MATCH ? ORDER BY bm25(d, 0, 6.0, 1.0) LIMIT ?"
        return [row[0] for row in database.execute(sql, (asked, TOP))]

    return search


def postgres(url: str) -> Callable[[list[Document]], Search]:
    def build(found: list[Document]) -> Search:
        connection = psycopg.connect(conninfo(url), autocommit=True)
        connection.execute("DROP TABLE IF EXISTS bench_search")
        connection.execute("CREATE TABLE bench_search (id text, v tsvector)")
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO bench_search "
                "VALUES (%s, setweight(to_tsvector('german', %s), 'A') || to_tsvector('german', %s))",
                [(one.id, one.name, text_of(one)) for one in found],
            )
        connection.execute("CREATE INDEX ON bench_search USING gin (v)")
        connection.execute("ANALYZE bench_search")

        def search(query: str) -> list[str]:
            words = "".join(sign if sign.isalnum() else " " for sign in query).split()
            rows = connection.execute(
                "SELECT id FROM bench_search, websearch_to_tsquery('german', %s) q WHERE v @@ q "
                "ORDER BY ts_rank(v, q, 1) DESC LIMIT %s",
                (" or ".join(words), TOP),
            )
            return [row[0] for row in rows]

        return search

    return build


class Found(msgspec.Struct, frozen=True):
    build: float
    first: float
    third: float
    times: list[float]


def measured(build: Callable[[list[Document]], Search], case: Case, runs: int) -> Found:
    began = time.process_time()
    search = build(case.documents)
    spent = time.process_time() - began
    first = third = 0
    for query, wanted in case.judged:
        found = search(query)
        first += bool(wanted & set(found[:1]))
        third += bool(wanted & set(found))
    times = []
    for _ in range(runs):
        for query, _ in case.judged:
            started = time.perf_counter()
            search(query)
            times.append(time.perf_counter() - started)
    return Found(spent, first / len(case.judged), third / len(case.judged), times)


def measure(options: report.Options) -> report.Result:
    tables, figures = [], {}
    # Not below a folder that only root may enter: PostgreSQL runs as a user of its own.
    with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as home, embedded_postgres(Path(home)) as urls:
        for case in cases():
            rows = rows_of(case, urls.owner, options.runs, figures)
            title = f"{case.name} documents, {len(case.judged)} judged queries"
            head = ["engine", "hit@1", "hit@3", "ms a query: p50", "p99", "times ours (p50)", "index, CPU s"]
            note = "What PostgreSQL itself spends on the index is not in the last column."
            tables.append(report.Table(title, head, rows, note))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.say(f"peak memory of the whole run {peak:,.0f} MiB")
    return report.Result(tables, figures)


def rows_of(case: Case, url: str, runs: int, figures: dict[str, float]) -> list[list[str]]:
    engines: dict[str, Callable[[list[Document]], Search]] = {
        "ours": ours,
        "tantivy, its German stemmer": plain_tantivy,
        "SQLite FTS5, unicode61": fts5,
        "PostgreSQL, german": postgres(url),
    }
    rows, reference = [], 0.0
    for name, build in engines.items():
        report.say(f"{case.name}: {name}")
        found = measured(build, case, runs)
        middle = report.median(found.times)
        reference = reference or middle
        worst = report.percentile(found.times, 0.99)
        rows.append(
            [
                name,
                f"{found.first:.2f}",
                f"{found.third:.2f}",
                f"{1000 * middle:.2f}",
                f"{1000 * worst:.2f}",
                f"{middle / reference:.2f}",
                f"{found.build:.1f}",
            ]
        )
        figures[f"{case.name}, {name}, hit@3"] = found.third
    return rows


if __name__ == "__main__":
    report.main("search", measure, runs=3)
