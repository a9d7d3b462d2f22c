"""Files of footfall: each mistake with its line, each day as a whole, the same file twice is nothing new."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core import cli
from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, TooLargeError
from servicepunkt.core.hosts.footfall import model, service, store
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock

TODAY = date(2026, 11, 21)
KEPT = timedelta(days=1095)
FILE = b"date,hour,count\n2026-11-19,9,112\n2026-11-19,10,148\n2026-11-20,9,97\n"


def read(content: bytes) -> model.Counts:
    return model.read(content, today=TODAY, kept=KEPT)


def codes(content: bytes) -> list[tuple[str, str]]:
    """(place, code) of each mistake."""
    with pytest.raises(InvalidInputError) as refused:
        read(content)
    return [(place, said.rule.code) for place, said in refused.value.mistakes]  # type: ignore[attr-defined]


def test_a_file_is_read_with_commas_and_as_offices_write_it() -> None:
    counts = {date(2026, 11, 19): {9: 112, 10: 148}, date(2026, 11, 20): {9: 97}}
    assert read(FILE) == counts
    assert read(b"\xef\xbb\xbf" + FILE.replace(b",", b" ; ").replace(b"\n", b"\r\n") + b"\r\n") == counts
    assert model.totals(counts) == {date(2026, 11, 20): 97, date(2026, 11, 19): 260}


def test_every_mistake_is_named_with_its_line() -> None:
    lines = [
        "Date,Hour,Count", "2026-11-19,9,1", "19.11.2026,24,-1", "2026-11-19,9,2", "2026-11-19,9", "2026-02-30,1,1",
        "", "2026-11-22,1,1", "2020-01-01,1,1", "2026-11-18,1,100001", "2026-11-18,¹,1", "2026-11-18,1,1e3",
    ]  # fmt: skip
    assert codes("\n".join(lines).encode()) == [
        ("line 3", "SP8134"), ("line 3", "SP8135"), ("line 3", "SP8136"), ("line 4", "SP8139"), ("line 5", "SP8133"),
        ("line 6", "SP8134"), ("line 8", "SP8137"), ("line 9", "SP8138"), ("line 10", "SP8136"), ("line 11", "SP8135"),
        ("line 12", "SP8136"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "SP8132"),
        (b"day,hour,count\n", "SP8132"),
        (b"date,hour,count,name\n2026-11-19,9,1,x\n", "SP8132"),
        (b"date,hour,count\n", "SP8140"),
        (b"date,hour,count\n\xff\xfe", "SP8131"),
        (b"date,hour,count\n" + b"1" * 150_000, "SP8133"),
        (b"1" * 150_000, "SP8132"),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes, code: str) -> None:
    assert [found for _, found in codes(content)] == [code]


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: b"date,hour,count\n" + text.encode())))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    counts: model.Counts = {}
    with suppress(InvalidInputError):
        counts = read(content)
    assert all(0 <= hour <= 23 and count >= 0 for hours in counts.values() for hour, count in hours.items())


def test_a_large_file_is_not_even_looked_at() -> None:
    with pytest.raises(TooLargeError):
        read(b"x" * (model.MOST_BYTES + 1))


async def take_over(deployment: Deployment, ctx: TenantContext, content: bytes) -> tuple[date, ...]:
    async with deployment.database.tenant(ctx) as tx:
        return (await service.take_over(tx, "store", content, actor="account:host")).changed


async def known(deployment: Deployment, ctx: TenantContext, host: str = "store") -> model.Counts:
    async with deployment.database.tenant(ctx) as tx:
        return await store.between(tx, host, TODAY - KEPT, TODAY)


async def test_the_same_file_twice_changes_nothing(deployment: Deployment, town: TenantContext) -> None:
    assert await take_over(deployment, town, FILE) == (date(2026, 11, 19), date(2026, 11, 20))
    async with deployment.database.tenant(town) as tx:
        before = [one async for one in audit_store.entries(tx)]
    assert await take_over(deployment, town, FILE) == ()
    async with deployment.database.tenant(town) as tx:
        assert [one async for one in audit_store.entries(tx)] == before
    assert await known(deployment, town) == read(FILE)
    assert await known(deployment, town, "bank") == {}


async def test_a_day_of_a_file_replaces_that_day_as_a_whole(deployment: Deployment, town: TenantContext) -> None:
    await take_over(deployment, town, FILE)
    assert await take_over(deployment, town, b"date,hour,count\n2026-11-19,12,5\n") == (date(2026, 11, 19),)
    assert await known(deployment, town) == {date(2026, 11, 19): {12: 5}, date(2026, 11, 20): {9: 97}}


async def test_a_file_with_a_mistake_changes_nothing(deployment: Deployment, town: TenantContext) -> None:
    await take_over(deployment, town, FILE)
    with pytest.raises(InvalidInputError):
        await take_over(deployment, town, FILE.replace(b",112", b",113") + b"2026-11-20,25,1\n")
    assert await known(deployment, town) == read(FILE)


async def test_numbers_are_deleted_when_they_are_old(
    deployment: Deployment, town: TenantContext, clock: FixedClock
) -> None:
    await take_over(deployment, town, FILE)
    clock.instant += KEPT - timedelta(days=1)
    await erase_expired.function(deployment, town)
    assert await known(deployment, town) == {date(2026, 11, 20): {9: 97}}


def test_the_command_takes_a_file_over(
    deployment: Deployment, town: TenantContext, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "footfall.csv"
    file.write_bytes(b"date,hour,count\n2026-01-02,9,7\n")
    plugins = PluginHost()
    plugins.register(core_plugin, "core")
    plugins.freeze()

    def run(place: str) -> object:
        result = CliRunner().invoke(cli.root(plugins), ["host", "footfall", "import", place, str(file), "--json"])
        return result.output or result.exception

    assert run("alpha/store") == '{"days":1,"changed":["2026-01-02"]}\n'
    assert run("alpha/store") == '{"days":1,"changed":[]}\n'
    assert "known are: store, bank" in str(run("alpha/shop"))
