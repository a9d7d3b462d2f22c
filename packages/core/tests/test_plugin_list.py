"""What `plugin list` says: whose a plugin is, whether it is on and why; and what went wrong, of every process."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import EntryPoint, PathDistribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from servicepunkt.core import hookimpl
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost, host, service, store
from servicepunkt.core.plugins.failures import LATELY
from servicepunkt.core.plugins.listing import REASONS, listed
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, make_tenant, open_deployment
from servicepunkt.core.testing.outage import frozen, outage


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Plugins apple, kiwi and plum of one distribution are installed."""
    folder = tmp_path / "fruit-2.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: fruit\nVersion: 2.1\n")

    class Point(EntryPoint):
        def load(self) -> Any:
            made = ModuleType(self.name)
            vars(made).update({"servicepunkt_api": "1", "texts": hookimpl(lambda: tmp_path)})
            return made

    points = [Point(name, name, "servicepunkt")._for(PathDistribution(folder)) for name in ("plum", "apple", "kiwi")]  # type: ignore[attr-defined]
    monkeypatch.setattr(host, "entry_points", lambda group: points if group == "servicepunkt" else [])


@pytest.mark.usefixtures("three")
def test_every_reason_to_be_on_or_off() -> None:
    made = PluginHost()
    made.load_installed(only=frozenset({"apple", "plum"}))
    ctx = TenantContext(id=1, slug="t", name="T", plugins=frozenset({"apple", "kiwi", "quince"}))
    found = listed(made, ctx)
    assert [(one.plugin, one.state, one.reason) for one in found] == [
        ("core", "on", "always"),
        ("apple", "on", "allowed"),
        ("plum", "off", "not-allowed"),
        ("kiwi", "off", "excluded"),
        ("quince", "off", "not-installed"),
    ]
    assert {one.reason for one in found} | {"installed"} == set(REASONS)
    assert [(one.distribution, one.version, one.api, one.hooks) for one in found[1:4]] == [
        ("fruit", "2.1", "1", ("texts",)),
        ("fruit", "2.1", "1", ("texts",)),
        ("fruit", "2.1", "", ()),
    ]
    assert [(one.plugin, one.state) for one in listed(made)][-2:] == [("plum", "installed"), ("kiwi", "off")]


async def test_what_went_wrong_in_one_process_is_known_to_all(urls: Urls, tmp_path: Path, clock: FixedClock) -> None:
    def process() -> Any:
        made = frozen(broken=outage("raises"), other=outage("raises"))
        made.failures._now = clock.now
        return open_deployment(urls, tmp_path, made, clock=clock)

    async with process() as worker, process() as web:
        ctx = await make_tenant(worker, urls.owner, "listed")
        quiet = await make_tenant(worker, urls.owner, "quiet")
        web.directory.forget()
        since = clock.now()
        for deployment, times in ((worker, 2), (web, 3)):
            for _ in range(times):
                clock.forward(minutes=1)
                assert deployment.plugins.collect(ctx, "notice_channels") == []
            await service.write_failures(deployment)
            await service.write_failures(deployment)  # nothing new: written once
        broken, other = await service.lately(web, ctx)
        assert (broken.plugin, broken.hook, broken.count, broken.error) == (
            *("broken", "notice_channels", 5, "CanaryError"),
        )
        assert (broken.since, broken.last) == (since + timedelta(minutes=1), since + timedelta(minutes=5))
        assert other.plugin == "other"
        assert await service.lately(worker, quiet) == []

        clock.forward(hours=LATELY.total_seconds() / 3600)
        assert await service.lately(worker, ctx) == []
        web.plugins.collect(ctx, "notice_channels")
        await service.write_failures(web)
        assert [(one.plugin, one.count) for one in await service.lately(worker, ctx)] == [("broken", 1), ("other", 1)]
        async with worker.database.tenant(ctx) as tx:
            assert await store.delete_failures(tx, clock.now()) == 0
            assert await store.delete_failures(tx, clock.now() + timedelta(seconds=1)) == 2


async def test_what_could_not_be_written_is_written_later(
    deployment: Deployment, tenant: TenantContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    async def away(*_: Any) -> None:
        raise OperationalError("", {}, Exception())

    deployment.plugins.failures.note(tenant.id, "locker", "staff_entries", "failed")
    with monkeypatch.context() as patched:
        patched.setattr(store, "add", away)
        await service.write_failures(deployment)
    deployment.plugins.failures.note(tenant.id, "locker", "staff_entries", "failed")
    await service.write_failures(deployment)
    assert [one.count for one in await service.lately(deployment, tenant)] == [2]
