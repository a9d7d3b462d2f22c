"""Ten thousand probes and more: nothing of the other tenant is ever seen or changed."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from isolation import twins
from isolation.campaign import Campaign, ask, written
from isolation.rows import Rows, superuser
from isolation.twins import Twin, canaries
from servicepunkt.core import jobs
from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices import store as notices
from servicepunkt.core.people import store as people
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import database_server, empty_database, make_tenant, open_deployment
from servicepunkt.web.app import create_app
from servicepunkt.web.sessions import service as sessions
from servicepunkt.web.sessions.model import Session, Visitor
from servicepunkt.web.testing import alive

#: `nox -s isolation` leaves nothing out, and writes what it found into this file.
EVERY = os.environ.get("SERVICEPUNKT_TEST_ISOLATION") == "all"
REPORT = os.environ.get("SERVICEPUNKT_TEST_ISOLATION_REPORT", "")
CANARY = "zq%beta"
#: Columns of text that hold no canary: names that both tenants have, states, kinds, digests, numbers; nothing that
#: somebody has written.
WITHOUT_WORDS = {
    "application": "connector locale place point reference service state",
    "account": "login password_hash roles",
    "audit_entry": "action details hash previous subject",
    "box": "head id point troubles vault",
    "box_command": "box",
    "box_event": "box deposit event state",
    "box_trust": "box",
    "catalogue_edit": "path service state",
    "catalogue_link": "digest status",
    "catalogue_record": "digest id kind",
    "catalogue_report": "decision kind record",
    "catalogue_revision": "digest",
    "catalogue_run": "format state",
    "catalogue_source": "format layer name",
    "data_key": "purpose",
    "deposit": "alert box kind locale reference state",
    "device": "kind state target",
    "eid_session": "door point refused_by state",
    "handshake": "kind",
    "help_call": "point state",
    "host_footfall": "host",
    "host_hours": "below host",
    "host_incident": "host kind point state",
    "host_slot": "host noise space state",
    "host_slot_quarter": "host space",
    "notice": "channel locale sealed_context state template",
    "notice_attempt": "outcome provider receipt reference",
    "partner_order": "currency plugin point provider reference service state",
    "partner_stock": "item plugin service",
    "operator_consent": "role",
    "plugin_failure": "fault hook plugin",
    "provider_weight": "provider",
    "session": "proof",
}


class Town:
    """Two twins on one server, and what only `beta` has."""

    def __init__(self, deployment: Deployment, rows: Rows, alpha: Twin, beta: Twin, lone: dict[str, str]) -> None:
        self.deployment, self.rows, self.alpha, self.beta, self.lone = deployment, rows, alpha, beta, lone


@pytest.fixture(scope="module")
def plugins() -> PluginHost:
    host = PluginHost()
    host.load_installed()
    return host


@pytest.fixture(scope="module")
def urls(plugins: PluginHost) -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as folder, database_server(Path(folder), plugins) as made:
        yield made


@pytest.fixture
async def deployment(urls: Any, plugins: PluginHost, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, plugins, operator_tenant="gamma") as made:
        yield made


@pytest.fixture
async def town(deployment: Deployment, urls: Any) -> AsyncIterator[Town]:
    alpha = await twins.twin(deployment, urls.owner, "alpha")
    beta = await twins.twin(deployment, urls.owner, "beta")
    lone = await twins.more(deployment, beta)
    with superuser(urls.owner) as connection:
        yield Town(deployment, Rows(connection), alpha, beta, lone)


async def test_the_twins_have_the_same_ids_and_a_canary_in_every_text(town: Town) -> None:
    same = {name for name in town.alpha.ids if town.alpha.ids[name] == town.beta.ids[name]}
    assert same >= {"deposit", "terminal", "box", "call", "edit", "account", "notice", "order", "run", "revision"}
    assert same >= {"application", "draft", "identification"}
    assert same >= {"incident", "slot"}
    assert not {name for name in town.lone if town.lone[name] == town.alpha.ids[name]}
    expected = {f"{table}.{column}" for table, columns in WITHOUT_WORDS.items() for column in columns.split()}
    assert town.rows.columns_without(town.beta.ctx.id, CANARY) == expected
    empty = [name for name, digest in town.rows.digests(town.beta.ctx.id).items() if digest.startswith("0/")]
    assert empty == []


def _campaign(town: Town) -> Campaign:
    return Campaign(town.deployment, town.rows, town.alpha, town.beta, town.lone)


async def test_nothing_crosses(town: Town) -> None:
    tally = await _campaign(town).run(every=EVERY)
    print(f"isolation: {tally.total} probes, answers {dict(sorted(tally.answers.items()))}")
    if REPORT:
        await asyncio.to_thread(Path(REPORT).write_bytes, msgspec.json.encode(tally))
    assert tally.leaks == []
    assert tally.total >= 10_000
    # Refusals alone would prove little: everybody has been let in somewhere, and something was done.
    assert tally.answers[200] > 1000
    assert tally.changed > 100


@pytest.mark.parametrize("below", ["/api/v1/box", "/k/box"])
async def test_a_device_of_another_kind_is_not_let_in(town: Town, below: str) -> None:
    tally = await _campaign(town).run(every=True, below=below)
    assert tally.leaks == []
    assert tally.total > 50


async def test_the_probes_see_words_of_the_other_tenant(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    read = CatalogueReader.current

    async def wrong(reader: CatalogueReader, ctx: TenantContext) -> Any:
        return await read(reader, town.beta.ctx)

    monkeypatch.setattr(CatalogueReader, "current", wrong)
    tally = await _campaign(town).run(every=False, below="/theme/")
    assert tally.leaks
    assert all(leak.startswith("leak: ") for leak in tally.leaks)


async def test_the_probes_see_a_changed_row_and_an_open_route(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_let_in(deployment: Deployment, ctx: TenantContext, cookie: str) -> Visitor:
        async with deployment.database.tenant(town.beta.ctx) as tx:
            account = await people.by_id(tx, UUID(town.lone["account"]))
            await people.update(tx, UUID(town.lone["account"]), failures=account.failures + 1)
        at = deployment.clock.now()
        return Visitor(account=account, session=Session(key=b"", account=account.id, started_at=at, seen_at=at))

    monkeypatch.setattr(sessions, "visitor", all_let_in)
    leaks = (await _campaign(town).run(every=False, below="/staff/attest")).leaks
    assert [leak for leak in leaks if leak.startswith("let in: ")]
    # One guard less, and nothing else: an answer of the page behind it, whichever, is seen.
    assert [leak for leak in leaks if leak.startswith("rows of account changed: /staff/attest")]


async def test_no_job_reaches_another_tenants_rows(town: Town) -> None:
    """Each job, for alpha, with ids that only beta has, and with those that both have."""
    before = town.rows.digests(town.beta.ctx.id)
    every = [entry for answer in town.deployment.plugins.startup("jobs") for entry in answer.value]
    with written() as log:
        said = [await _perform(town, entry, ids) for entry in every for ids in (town.lone, town.alpha.ids)]
    assert len(said) >= 12
    assert not [one for one in said if "Tenant" in one]  # a statement that the guard had to refuse
    assert town.rows.digests(town.beta.ctx.id) == before
    assert not canaries("beta", with_public=True).search("".join([*said, log.getvalue()]).encode())


async def _perform(town: Town, entry: jobs.Job, ids: dict[str, str]) -> str:
    """As a worker does; a job that finds nothing for these ids may say so, and what it says is given back."""
    attempt = {"provider": "first", "reference": "reference-1", "outcome": "delivered", "looked": 0}
    arguments = {
        name: value for name, value in {"notice_id": ids["notice"], **attempt}.items() if name in _names(entry)
    }
    try:
        await jobs._perform(town.deployment, town.alpha.ctx, entry, arguments)
    except Exception as error:  # noqa: BLE001 - what matters is what it has done
        return repr(error)
    return ""


def _names(entry: jobs.Job) -> tuple[str, ...]:
    code = entry.function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


async def test_a_job_asks_for_the_row_of_its_own_tenant(town: Town) -> None:
    """The notice of one tenant is never sent as another's: not even its state moves."""
    async with town.deployment.database.tenant(town.alpha.ctx) as tx:
        assert await notices.find(tx, UUID(town.lone["notice"])) is None
        assert await notices.find(tx, UUID(town.alpha.ids["notice"])) is not None


async def test_an_export_of_the_audit_trail_is_one_tenants(town: Town) -> None:
    async with town.deployment.database.tenant(town.alpha.ctx) as tx:
        lines = [line async for line in audit.export(tx)]
    verdict = audit.verify_export(lines)
    assert verdict.faults == []
    assert verdict.entries > 10
    assert not canaries("beta", with_public=True).search(b"".join(lines))
    assert canaries("alpha", with_public=True).search(b"".join(lines))


async def test_the_operators_console_shows_nothing_that_a_tenant_keeps(town: Town, urls: Any) -> None:
    """At home in a third tenant: names and numbers of `beta`, no word of its rows, no page without a consent."""
    gamma = await twins.twin(town.deployment, urls.owner, "gamma")
    async with town.deployment.database.tenant(gamma.ctx) as tx:
        operator = await people.by_login(tx, "operator")
        assert operator is not None
        await people.update(tx, operator.id, totp=b"sealed")
    gamma.cookies["operator"] = {"sp_session": await sessions.start(town.deployment, gamma.ctx, operator, "totp")}
    before = town.rows.digests(town.beta.ctx.id)
    app = create_app(town.deployment)
    client = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    cookie = "; ".join(f"{name}={value}" for name, value in gamma.cookies["operator"].items())

    async def get(side: Twin, path: str) -> httpx.Response:
        return await ask(client, httpx.Request("GET", f"http://x{side.prefix}{path}", headers={"cookie": cookie}))

    said = b""
    async with alive(app):
        for path in ("", "?sort=deposit&down=1", "/use", "/health", "/tenants/beta"):
            answer = await get(gamma, f"/staff/operator{path}")
            assert answer.status_code == 200, path
            said += answer.content
            for side in (town.alpha, town.beta):
                assert (await get(side, f"/staff/operator{path}")).status_code == 404
        token = re.search(rb'name="_csrf_token" value="([^"]+)"', said)
        assert token
        for consent in (town.beta.ids["consent"], town.lone["consent"]):
            form = httpx.Request(
                "POST",
                f"http://x{gamma.prefix}/staff/operator/act/beta",
                headers={"cookie": f"{cookie}; sp_csrf={token[1].decode()}"},
                data={"_csrf_token": token[1].decode(), "consent": consent},
            )
            answer = await ask(client, form)
            assert (answer.status_code, b"SP8203" in answer.content) == (403, True)
        assert "/staff/sign-in" in (await get(town.beta, "/staff")).headers["location"]
    assert canaries("beta", with_public=True).search(said), "its name stands there"
    assert not canaries("beta", with_public=False).search(said)
    assert town.rows.digests(town.beta.ctx.id) == before


async def test_a_plugin_that_is_off_does_not_exist(deployment: Deployment, urls: Any) -> None:
    gamma = await twins.twin(deployment, urls.owner, "gamma")
    await make_tenant(deployment, urls.owner, "gamma", plugins=["web"], settings={})
    cookies = gamma.cookies[twins.EVERYTHING] | gamma.cookies["terminal"]
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    app = create_app(deployment)
    client = httpx.ASGITransport(app=app)  # type: ignore[arg-type]

    async def get(path: str, **more: str) -> httpx.Response:
        request = httpx.Request("GET", f"http://{gamma.host}{gamma.prefix}{path}", headers=headers | more)
        return await ask(client, request)

    async with alive(app):
        assert (await get("/staff")).status_code == 200
        for path in ("/staff/deposits", "/staff/deposits/new", "/staff/boxes", "/k/box/box-1"):
            assert (await get(path)).status_code == 404, path
        assert (await get("/api/v1/box/config", authorization=f"Bearer {gamma.box_token}")).status_code == 404
        assert "Einlagen" not in (await get("/staff")).text
