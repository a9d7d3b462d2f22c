"""Imports against a real database: in force as a whole or not at all, taken up again, each record accounted for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest

from servicepunkt.core.catalogue import service
from servicepunkt.core.catalogue.formats import dldb
from servicepunkt.core.catalogue.formats.model import Change, Delete, Format, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.layers import Layer
from servicepunkt.core.catalogue.model import Catalogue, Service, Theme
from servicepunkt.core.catalogue.sources import current, importing, store
from servicepunkt.core.catalogue.sources.importing import BATCH, KEPT_RUNS, LossError, Outcome, Wanted, import_files
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext


class PowerError(Exception):
    """The machine goes off in the midst of a file."""


def lines(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """A format of one line for each change: `+ id name`, `- id`, `? reason`, `! reason`, `*`."""
    for number, line in enumerate(files["file"].read().decode().splitlines(), start=1):
        place, (sign, _, rest) = f"line {number}", line.partition(" ")
        name, _, title = rest.partition(" ")
        match sign:
            case "+":
                yield Upsert(kind="services", id=name, record={"id": name, "name": {"de": title}}, place=place)
            case "-":
                yield Delete(kind="services", id=name, place=place)
            case "?":
                yield Refused(place=place, reason=rest)
            case "!":
                raise SourceError(rest)
            case "*":
                raise PowerError


WHOLE = Format(name="lines", parts=("file",), is_whole=True, read=lines)
PARTS = Format(name="lines", parts=("file",), is_whole=False, read=lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def holding(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def take(deployment: Deployment, ctx: TenantContext, path: Path, text: str, form: Format = WHOLE) -> Outcome:
    wanted = Wanted(source="town", format=form, files={"file": holding(path, text)})
    return await import_files(deployment.database, ctx, wanted, actor="test")


async def names(deployment: Deployment, ctx: TenantContext) -> dict[str, str]:
    async with deployment.database.tenant(ctx) as tx:
        return {one.id: one.name["de"] for one in (await current.composed(tx)).catalogue.services}


async def test_a_whole_file_is_all_that_its_source_says(
    deployment: Deployment, tenant: TenantContext, path: Path
) -> None:
    assert (await take(deployment, tenant, path, "+ a A\n+ b B\n? no name")).counts == {"added": 2, "refused": 1}
    assert await names(deployment, tenant) == {"a": "A", "b": "B"}
    second = await take(deployment, tenant, path, "+ b B\n+ c C\n+ a New")
    assert second.counts == {"unchanged": 1, "added": 1, "changed": 1}
    third = await take(deployment, tenant, path, "+ c C")
    assert third.counts == {"unchanged": 1, "deleted": 2}
    assert await names(deployment, tenant) == {"c": "C"}


async def test_reports_of_old_runs_are_dropped(deployment: Deployment, tenant: TenantContext, path: Path) -> None:
    for number in range(KEPT_RUNS + 2):
        await take(deployment, tenant, path, f"+ a {number}")
    async with deployment.database.tenant(tenant) as tx:
        told = [bool(await store.report(tx, one.run)) for one in await store.runs(tx, source="town")]
    assert told == [True] * KEPT_RUNS + [False] * 2


async def test_a_part_says_itself_what_is_gone(deployment: Deployment, tenant: TenantContext, path: Path) -> None:
    await take(deployment, tenant, path, "+ a A\n+ b B", PARTS)
    second = await take(deployment, tenant, path, "- a\n- never\n+ c C\n+ d D\n- d\n- d", PARTS)
    assert second.counts == {"deleted": 2, "orphan": 2, "added": 2}
    assert await names(deployment, tenant) == {"b": "B", "c": "C"}
    async with deployment.database.tenant(tenant) as tx:
        rows = await store.report(tx, second.run, decisions=["orphan"])
    assert [(row.place, row.record, row.reason) for row in rows] == [
        ("line 2", "never", "there is no such record"),
        ("line 6", "d", "there is no such record"),
    ]


async def test_a_broken_file_changes_nothing(deployment: Deployment, tenant: TenantContext, path: Path) -> None:
    await take(deployment, tenant, path, "+ a A")
    with pytest.raises(SourceError, match="broken"):
        await take(deployment, tenant, path, "+ b B\n" * 3 + "! broken at line 4")
    assert await names(deployment, tenant) == {"a": "A"}
    async with deployment.database.tenant(tenant) as tx:
        failed, done = await store.runs(tx)
        assert (failed.state, failed.reason, done.state) == ("failed", "broken at line 4", "done")
        assert await store.records(tx, failed.run) == []


async def test_an_import_is_taken_up_where_it_ended(
    deployment: Deployment, tenant: TenantContext, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    text = "+ a A\n+ b B\n+ c C\n+ d D\n? no name"
    broken = msgspec.structs.replace(WHOLE, read=lambda files, limits: power_fails(lines(files, limits), after=3))
    with pytest.raises(PowerError):
        await take(deployment, tenant, path, text, broken)
    assert await names(deployment, tenant) == {}
    outcome = await take(deployment, tenant, path, text)
    assert outcome.resumed_at == 2
    assert outcome.counts == {"added": 4, "refused": 1}
    assert set(await names(deployment, tenant)) == {"a", "b", "c", "d"}


def power_fails(changes: Iterator[Change], *, after: int) -> Iterator[Change]:
    for number, change in enumerate(changes):
        if number == after:
            raise PowerError
        yield change


async def test_another_file_ends_what_was_begun(deployment: Deployment, tenant: TenantContext, path: Path) -> None:
    with pytest.raises(PowerError):
        await take(deployment, tenant, path, "+ a A\n*")
    assert (await take(deployment, tenant, path, "+ b B")).resumed_at == 0
    async with deployment.database.tenant(tenant) as tx:
        assert [run.state for run in await store.runs(tx)] == ["done", "failed"]


async def test_who_comes_second_is_told(
    deployment: Deployment, tenant: TenantContext, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(deployment, tenant, path, "+ a A")
    original = importing._put_into_force

    async def late(tx: Any, wanted: Wanted, run: int, **values: Any) -> None:
        row = await store.source(tx, wanted.source)
        assert row is not None
        await store.save_source(tx, msgspec.structs.replace(row, run=row.run + 100))
        await original(tx, wanted, run, **values)

    monkeypatch.setattr(importing, "_put_into_force", late)
    with pytest.raises(ConflictError):
        await take(deployment, tenant, path, "+ b B")
    assert await names(deployment, tenant) == {"a": "A"}


async def test_a_record_that_cannot_be_read_now_stays_as_it_was(
    deployment: Deployment, tenant: TenantContext, path: Path
) -> None:
    def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
        for line in files["file"].read().decode().split():
            name, _, title = line.partition("=")
            record = {"id": name, "name": {"de": title}}
            if title == "broken":
                yield Refused(place=name, kind="services", id=name, reason="cannot be read")
            else:
                yield Upsert(kind="services", id=name, record=record if title else {"id": name}, place=name)

    form = msgspec.structs.replace(WHOLE, read=read)
    await take(deployment, tenant, path, "a=A b=B c=C", form)
    outcome = await take(deployment, tenant, path, "a=broken b= d=broken", form)
    assert outcome.counts == {"refused": 3, "deleted": 1}
    async with deployment.database.tenant(tenant) as tx:
        reasons = {row.record: row.reason for row in await store.report(tx, outcome.run)}
    assert await names(deployment, tenant) == {"a": "A", "b": "B"}
    assert reasons["a"] == "cannot be read (what it said before stays)"
    assert reasons["b"].endswith("(what it said before stays)")
    assert reasons["d"] == "cannot be read"
    # Once more, and a good one at last: it goes on from there.
    await take(deployment, tenant, path, "a=broken b=broken", form)
    assert await names(deployment, tenant) == {"a": "A", "b": "B"}
    await take(deployment, tenant, path, "a=New b=broken", form)
    assert await names(deployment, tenant) == {"a": "New", "b": "B"}


async def test_a_file_that_lacks_too_much_takes_nothing_away(
    deployment: Deployment, tenant: TenantContext, path: Path
) -> None:
    all_of_them = "\n".join(f"+ s{number} Name" for number in range(60))
    await take(deployment, tenant, path, all_of_them)
    with pytest.raises(LossError, match="48 of 60 records would be gone"):
        await take(deployment, tenant, path, "\n".join(f"+ s{number} Name" for number in range(12)))
    assert len(await names(deployment, tenant)) == 60
    async with deployment.database.tenant(tenant) as tx:
        [failed, _] = await store.runs(tx)
        assert (failed.state, await store.records(tx, failed.run)) == ("failed", [])
    few = Wanted(source="town", format=WHOLE, files={"file": holding(path, "+ s1 Name")}, may_remove_many=True)
    await import_files(deployment.database, tenant, few, actor="test")
    assert len(await names(deployment, tenant)) == 1


async def test_a_source_is_imported_by_one_at_a_time_and_others_beside_it(
    deployment: Deployment, tenant: TenantContext, tmp_path: Path
) -> None:
    goes_on = threading.Event()

    def slow(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
        for number in range(3 * BATCH):
            if number == BATCH:
                assert goes_on.wait(30)
            record = {"id": f"s{number}", "name": {"de": "Name"}}
            yield Upsert(kind="services", id=record["id"], record=record, place=str(number))

    form = msgspec.structs.replace(WHOLE, read=slow)
    file = holding(tmp_path / "first", "")
    first = asyncio.create_task(
        import_files(deployment.database, tenant, Wanted(source="town", format=form, files={"file": file}), actor="a")
    )
    try:
        while True:
            async with deployment.database.tenant(tenant) as tx:
                if any(run.position for run in await store.runs(tx)):
                    break
            await asyncio.sleep(0.02)
        with pytest.raises(ConflictError, match="being imported just now"):
            await take(deployment, tenant, tmp_path / "second", "+ x Other")
        others = [
            import_files(
                deployment.database,
                tenant,
                Wanted(source=name, format=WHOLE, files={"file": holding(tmp_path / name, f"+ {name} Name")}),
                actor="b",
            )
            for name in ("land", "chamber")
        ]
        assert [one.counts for one in await asyncio.gather(*others)] == [{"added": 1}, {"added": 1}]
    finally:
        goes_on.set()
    assert (await first).counts == {"added": 3 * BATCH}
    assert len(await names(deployment, tenant)) == 3 * BATCH + 2


async def test_a_dry_run_leaves_nothing(deployment: Deployment, tenant: TenantContext, path: Path) -> None:
    await take(deployment, tenant, path, "+ a A")
    holding(path, "+ b B")

    async def look(tx: Any, run: int) -> list[str]:
        assert await store.report(tx, run)
        return [one.id for one in (await current.composed(tx)).catalogue.services]

    wanted = Wanted(source="town", format=WHOLE, files={"file": path})
    outcome, seen = await importing.try_files(deployment.database, tenant, wanted, look)
    assert (outcome.counts, seen) == ({"added": 1, "deleted": 1}, ["b"])
    assert await names(deployment, tenant) == {"a": "A"}
    async with deployment.database.tenant(tenant) as tx:
        assert len(await store.runs(tx)) == 1


@pytest.mark.parametrize("source", ["files", "editors", "Two Words", "", "x" * 80])
async def test_a_reserved_name_is_no_source(
    deployment: Deployment, tenant: TenantContext, path: Path, source: str
) -> None:
    holding(path, "+ a A")
    wanted = Wanted(source=source, format=WHOLE, files={"other": path, "file": path / "none"})
    with pytest.raises(InvalidInputError) as caught:
        await import_files(deployment.database, tenant, wanted, actor="test")
    assert {place for place, _ in caught.value.mistakes} == {"source", "other", "file"}


async def test_a_record_that_does_not_fit_is_refused_with_its_reason(
    deployment: Deployment, tenant: TenantContext, path: Path
) -> None:
    records = [
        {"id": "good", "name": {"de": "Gut"}},
        {"id": "key", "name": {"de": "x"}, "leika": ["1"]},
        {"id": "link", "name": {"de": "x"}, "links": [{"kind": "page", "url": "javascript:alert(1)"}]},
        {"id": "html", "name": {"de": "x"}, "description": {"de": "<p onclick='x'>a</p>"}},
        {"id": "field", "name": {"de": "x"}, "colour": "red"},
        {"id": "nameless"},
    ]

    def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
        yield from (Upsert(kind="services", id=one["id"], record=one, place=one["id"]) for one in records)

    outcome = await take(deployment, tenant, path, "", msgspec.structs.replace(WHOLE, read=read))
    assert outcome.counts == {"added": 1, "refused": 5}
    async with deployment.database.tenant(tenant) as tx:
        reasons = {row.place: row.reason for row in await store.report(tx, outcome.run, decisions=["refused"])}
    assert reasons["key"] == "leika: a LeiKa key is 99 and 12 more digits"
    assert "begins with https://" in reasons["link"]
    assert "not shown" in reasons["html"]
    assert "colour" in reasons["field"]
    assert "a service has a name" in reasons["nameless"]


async def test_files_stand_above_imports_and_origins_are_kept(
    deployment: Deployment, tenant: TenantContext, path: Path
) -> None:
    await take(deployment, tenant, path, "+ passport Reisepass Ausstellung\n+ other Anderes")
    own = Catalogue(
        themes=(Theme(id="id", name={"de": "Ausweise"}, others=True),),
        services=(Service(id="passport", name={"de": "Reisepass"}, summary={"de": "Für Reisen."}),),
    )
    async with deployment.database.tenant(tenant) as tx:
        await importing.put_files(tx, own, at=tx.now())
        await importing.put_files(tx, own, at=tx.now())  # the same once more is no new run
        revision, composed = await service.publish_sources(tx, at=tx.now(), actor="test")
    passport = composed.catalogue.service("passport")
    assert passport is not None
    assert passport.name == {"de": "Reisepass"}
    assert composed.origins["services", "passport"] == {"id": "files", "name/de": "files", "summary/de": "files"}
    assert composed.origins["services", "other"]["name/de"] == "town"
    assert {one.themes for one in composed.catalogue.services} == {("id",)}
    async with deployment.database.tenant(tenant) as tx:
        assert len(await store.runs(tx)) == 2
        assert revision == (await service.roll_back(tx, revision, at=tx.now(), actor="test"))
        await service.publish(tx, Catalogue(), at=tx.now(), actor="test")
        assert await service.roll_back(tx, revision, at=tx.now(), actor="test") == revision + 2
        assert await service.newest(tx) == composed.catalogue
        with pytest.raises(NotFoundError):
            await service.roll_back(tx, 99, at=tx.now(), actor="test")


async def test_what_refers_to_nothing_is_left_out_and_said(
    deployment: Deployment, tenant: TenantContext, path: Path
) -> None:
    records: list[Upsert] = [
        Upsert(kind="services", id="a", place="1", record={"id": "a", "name": {"de": "A"}, "competence": "nobody"}),
        Upsert(kind="responsibilities", id="x", place="2", record={"service": "a", "authority": "gone"}),
    ]

    def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
        yield from records

    await take(deployment, tenant, path, "", msgspec.structs.replace(WHOLE, read=read))
    async with deployment.database.tenant(tenant) as tx:
        composed = await current.composed(tx)
        assert await service.publish_sources(tx, at=tx.now(), actor="test")
        # The tenant's own files may not: there it is a mistake that keeps all of it back.
        await importing.put_files(
            tx, Catalogue(services=(Service(id="b", name={"de": "B"}, competence="nobody"),)), at=tx.now()
        )
        with pytest.raises(InvalidInputError, match="nobody"):
            await service.publish_sources(tx, at=tx.now(), actor="test")
    assert [reason for _, reason in composed.left_out] == [
        "there is no partner 'nobody'",
        "there is no authority 'gone'",
    ]


async def test_what_an_import_says_of_a_service_in_the_files_keeps_nothing_back(
    deployment: Deployment, tenant: TenantContext, path: Path
) -> None:
    def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
        said = {"id": "a", "competence": "nobody", "themes": ["nowhere"]}
        yield Upsert(kind="services", id="a", place="1", record={**said, "name": {"de": "A"}})

    await take(deployment, tenant, path, "", msgspec.structs.replace(WHOLE, read=read))
    async with deployment.database.tenant(tenant) as tx:
        await importing.put_files(tx, Catalogue(services=(Service(id="a", name={"de": "Ausweis"}),)), at=tx.now())
        assert await service.publish_sources(tx, at=tx.now(), actor="test")
        (published,) = (await service.newest(tx)).services
    assert (published.name, published.competence, published.themes) == ({"de": "Ausweis"}, "", ())


async def test_four_layers_lie_above_each_other(deployment: Deployment, tenant: TenantContext, path: Path) -> None:
    key = "99085001012000"
    said: dict[str, dict[str, Any]] = {
        "federation": {
            "name": {"de": "Reisepass Ausstellung"},
            "modules": [{"code": "11", "text": {"de": "Bund", "en": "Federation"}}],
        },
        "land": {"modules": [{"code": "11", "text": {"de": "Land"}}, {"code": "25", "text": {"de": "Klage"}}]},
    }

    def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
        layer = files["file"].read().decode()
        record = {"id": layer, "leika": [key], "themes": ["nowhere"], **said[layer]}
        yield Upsert(kind="services", id=layer, record=record, place="1")

    layers: tuple[Layer, ...] = ("federation", "land")
    for layer in layers:
        form = msgspec.structs.replace(WHOLE, read=read)
        wanted = Wanted(source=f"the-{layer}", format=form, files={"file": holding(path, layer)}, layer=layer)
        await import_files(deployment.database, tenant, wanted, actor="test")
    own = Catalogue(services=(Service(id="passport", leika=(key,), summary={"de": "Bei uns."}),))
    async with deployment.database.tenant(tenant) as tx:
        await importing.put_files(tx, own, at=tx.now())
        _, composed = await service.publish_sources(tx, at=tx.now(), actor="test")
    (passport,) = composed.catalogue.services
    assert (passport.name["de"], passport.summary["de"], passport.themes) == ("Reisepass Ausstellung", "Bei uns.", ())
    assert {(one.code, language): text for one in passport.modules for language, text in one.text.items()} == {
        ("11", "de"): "Land",
        ("11", "en"): "Federation",
        ("25", "de"): "Klage",
    }
    assert composed.origins["services", "passport"]["modules/11/000/en"] == "the-federation"
    assert composed.origins["services", "passport"]["modules/11/000/de"] == "the-land"


async def test_another_tenant_sees_nothing_of_it(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, path: Path
) -> None:
    await take(deployment, tenant, path, "+ a A")
    assert await names(deployment, other) == {}


MUNICH = Path(__file__).parents[6] / "shared" / "data" / "catalogue" / "munich_dldb"


@pytest.mark.skipif(not MUNICH.is_dir(), reason="Munich's catalogue is not beside this repository")
async def test_munich_is_imported_whole(deployment: Deployment, tenant: TenantContext) -> None:
    files = {"services": MUNICH / "services_de.json", "locations": MUNICH / "locations_de.json"}
    wanted = Wanted(source="munich", format=dldb.FORMAT, files=files)
    outcome = await import_files(deployment.database, tenant, wanted, actor="test")
    assert outcome.counts == {"added": 893}
    async with deployment.database.tenant(tenant) as tx:
        _, composed = await service.publish_sources(tx, at=tx.now(), actor="test")
    assert (len(composed.catalogue.services), len(composed.catalogue.partners)) == (287, 101)
    assert composed.left_out == ()
    again = await import_files(deployment.database, tenant, wanted, actor="test")
    assert again.counts == {"unchanged": 893}
