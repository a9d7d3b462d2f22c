"""What a database holds, as of a moment between two transactions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest

from servicepunkt.core.backup import store
from servicepunkt.core.backup.model import BackupError
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext

INSERT = "INSERT INTO data_key VALUES (%s, %s, 'test', 'x', NULL)"


def look(urls: Urls) -> store.Sums:
    with store.at_rest(urls.owner) as (connection, _):
        return store.sums(connection)


@pytest.mark.usefixtures("tenant", "other")
def test_a_writer_is_waited_for_and_no_half_of_a_transaction_is_seen(urls: Urls) -> None:
    """What is written but not yet committed may be in the log already: it has to be in the sums as well."""
    with ThreadPoolExecutor(1) as pool, psycopg.connect(conninfo(urls.owner)) as writer:
        store.bind(writer, 1)
        writer.execute(INSERT, (1, uuid4()))
        looking = pool.submit(look, urls)
        threading.Event().wait(0.3)
        assert not looking.done()
        writer.commit()
        assert looking.result(30)["alpha", "data_key"].startswith("1:")


@pytest.mark.usefixtures("tenant", "other")
def test_the_moment_stays_and_nobody_waits_for_it(urls: Urls) -> None:
    with store.at_rest(urls.owner) as (connection, _):
        with psycopg.connect(conninfo(urls.owner)) as writer:
            writer.execute("SET LOCAL lock_timeout TO '1s'")
            store.bind(writer, 1)
            writer.execute(INSERT, (1, uuid4()))
            writer.commit()
        assert store.sums(connection)["alpha", "data_key"] == "0:0"
    assert look(urls)["alpha", "data_key"].startswith("1:")


def test_a_transaction_that_stays_open_is_no_reason_to_stop_everybody(
    urls: Urls, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOCK_WAIT", "100ms")
    with psycopg.connect(conninfo(urls.owner)) as writer:
        writer.execute("UPDATE alembic_version SET version_num = version_num")
        with pytest.raises(BackupError, match="stays open"):
            look(urls)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM data_key WHERE tenant_id = 2",
        "UPDATE data_key SET purpose = 'other' WHERE tenant_id = 2",
        "INSERT INTO data_key VALUES (2, gen_random_uuid(), 'more', 'x', NULL)",
        "UPDATE data_key SET wrapped = 'y' WHERE tenant_id = 2",
    ],
)
async def test_every_change_of_a_row_shows_where_it_happened(
    urls: Urls, tenant: TenantContext, other: TenantContext, change: str
) -> None:
    with psycopg.connect(conninfo(urls.owner)) as connection:
        for ctx in (tenant, other):
            store.bind(connection, ctx.id)
            connection.execute(INSERT, (ctx.id, uuid4()))
    before = look(urls)
    with psycopg.connect(conninfo(urls.owner)) as connection:
        store.bind(connection, other.id)
        connection.execute(change.encode())
    after = look(urls)
    assert {key for key in after if after[key] != before[key]} == {("beta", "data_key")}
    assert store.rows_in(before) == 2
