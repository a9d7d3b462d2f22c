"""Nothing is published that was not approved, everything that was is on its day, and what others publish stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import sqlalchemy as sa

from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue import store as revisions
from servicepunkt.core.catalogue.editing import publishing, store
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.editing.model import MISSING_OWN_NAME, encoded
from servicepunkt.core.catalogue.editing.publishing import JOB, publish_due
from servicepunkt.core.catalogue.sources import current, importing
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Office

ANNA, BEN = "account:anna", "account:ben"


async def test_edits_that_together_take_the_own_name_away_are_not_published(office: Office) -> None:
    await office.live("visibility", "staff")
    shown = await office.write("visibility", None)
    await office.do(editing.approve, shown.id, actor=ANNA)
    edit = await office.write("summary/de", "Neu")
    await office.do(store.update, edit.id, at=office.deployment.clock.now(), path="name/de", value=encoded(""))
    await office.do(editing.approve, edit.id, actor=ANNA)
    outcome = await office.publish()
    assert {one.id for one in outcome.refused} == {edit.id, shown.id}
    assert MISSING_OWN_NAME in outcome.refused[0].reason


# --- on a day -------------------------------------------------------------------------------------------------


async def test_what_is_approved_for_a_day_waits_for_it(office: Office, clock: FixedClock) -> None:
    edit = await office.write("summary/de", "Neu", publish_on=date(2026, 11, 23))
    await office.do(editing.approve, edit.id, actor=ANNA)
    assert (await office.publish()).published == ()
    await publish_due.function(office.deployment, office.ctx)
    assert (await office.read()).summary["de"] == "Alt"
    clock.forward(hours=27.5)  # Sunday, 23:10 in the town
    await publish_due.function(office.deployment, office.ctx)
    assert (await office.read()).summary["de"] == "Alt"
    clock.forward(hours=1)
    for _ in range(2):
        await publish_due.function(office.deployment, office.ctx)
        assert (await office.read()).summary["de"] == "Neu"
    assert (await office.do(revisions.newest))[0] == 2
    assert (await office.actions())[-1] == (JOB, "catalogue-edit.publish")


async def test_what_is_refused_on_its_day_stays_approved_with_the_reason(office: Office, clock: FixedClock) -> None:
    day = date(2026, 11, 22)
    bad = await office.write("links", [{"kind": "page", "url": "https://example.org"}], publish_on=day)
    good = await office.write("summary/de", "Neu", service="other", publish_on=day)
    for edit in (bad, good):
        await office.do(editing.approve, edit.id, actor=ANNA)
    # In the meantime something has come about that the form would have refused.
    await office.do(store.update, bad.id, at=clock.now(), value=encoded([{"kind": "page", "url": "ftp://x"}]))
    clock.forward(days=1)
    await publish_due.function(office.deployment, office.ctx)
    found = await office.edit(bad)
    assert found.state == "approved"
    assert found.reason == "services.card.links[0].url: an address begins with https:// or http://"
    assert (await office.edit(good)).state == "live"
    assert (await office.read("other")).summary == {"de": "Neu"}
    assert await office.do(store.count, ("approved",), with_reason=True) == 1


async def test_where_the_sources_do_not_hold_together_all_wait(office: Office, clock: FixedClock) -> None:
    edit = await office.write("summary/de", "Neu", publish_on=date(2026, 11, 21))
    await office.do(editing.approve, edit.id, actor=ANNA)
    async with office.deployment.database.tenant(office.ctx) as tx:
        broken = msgspec.structs.replace(office.own.services[1], competence="nobody")
        await importing.put_files(
            tx, msgspec.structs.replace(office.own, services=(office.own.services[0], broken)), at=tx.now()
        )
    with pytest.raises(InvalidInputError, match="there is no partner"):
        await office.publish()
    await publish_due.function(office.deployment, office.ctx)
    found = await office.edit(edit)
    assert (found.state, "there is no partner 'nobody'" in found.reason) == ("approved", True)


async def test_nobody_publishes_an_empty_catalogue_before_the_files_were_taken_over(
    deployment: Deployment, other: TenantContext, office_of: Callable[[TenantContext], Office]
) -> None:
    office = office_of(other)
    await office.do(catalogues.publish, office.own, at=deployment.clock.now(), actor="test")
    with pytest.raises(InvalidInputError, match="tenant file"):
        await office.publish()
    assert await office.read() == office.own.services[0]


async def test_an_edit_of_a_service_that_went_away_is_not_published(office: Office) -> None:
    await office.arrives("bus Fahren")
    edit = await office.write("summary/de", "Neu", service="bus")
    await office.do(editing.approve, edit.id, actor=ANNA)
    await office.arrives("tram Fahren")
    outcome = await office.publish()
    assert [one.reason for one in outcome.refused] == [publishing.GONE]
    assert (await office.edit(edit)).state == "approved"


# --- back ------------------------------------------------------------------------------------------------------


async def test_an_earlier_revision_comes_back_and_edits_keep_what_they_say(office: Office) -> None:
    await office.live("summary/de", "Neu")
    assert await office.do(catalogues.roll_back, 1, at=office.deployment.clock.now(), actor=ANNA) == 3
    assert (await office.read()).summary["de"] == "Alt"
    await office.publish()
    assert (await office.read()).summary["de"] == "Neu"


async def test_what_was_brought_back_stays_until_somebody_publishes(office: Office, clock: FixedClock) -> None:
    await office.arrives("bus Gut")
    await office.publish()
    await office.arrives("bus Schlecht")
    await office.publish()
    edit = await office.write("summary/de", "Neu", publish_on=date(2026, 11, 22))
    await office.do(editing.approve, edit.id, actor=ANNA)
    assert await office.do(revisions.restored) is None
    await office.do(catalogues.roll_back, 2, at=clock.now(), actor=ANNA)
    clock.forward(days=1)
    for _ in range(2):
        await publish_due.function(office.deployment, office.ctx)
        assert (await office.read("bus")).summary["de"] == "Gut"
        assert ((await office.edit(edit)).state, (await office.edit(edit)).reason) == ("approved", publishing.HELD)
    assert await office.do(revisions.restored) == 2
    await office.arrives("bus Gut")
    await office.publish()
    assert await office.do(revisions.restored) is None
    assert ((await office.edit(edit)).state, (await office.edit(edit)).reason) == ("live", "")


async def test_who_publishes_the_same_once_more_lets_publication_go_on(office: Office, clock: FixedClock) -> None:
    await office.live("summary/de", "Neu")
    await office.do(catalogues.roll_back, 1, at=clock.now(), actor=ANNA)
    (live,) = await office.do(store.edits, ("live",))
    await office.do(editing.withdraw, live.id, actor=ANNA)
    assert (await office.publish()).revision == 4
    assert await office.do(revisions.restored) is None
    assert (await office.publish()).revision == 4


@pytest.mark.parametrize("publish", [publishing.publish, partial(catalogues.publish_sources, at=FixedClock().now())])
async def test_nothing_that_others_publish_meanwhile_is_lost(
    office: Office, monkeypatch: pytest.MonkeyPatch, publish: Any
) -> None:
    """What is read to be published is read under the lock that everybody takes who publishes."""
    read, free = current.sources_of, []

    async def sources_of(tx: Transaction) -> Any:
        async with office.deployment.database.tenant(office.ctx) as other:
            lock = sa.func.pg_try_advisory_xact_lock(sa.cast(tx.tenant_id, sa.Integer), sa.func.hashtext("catalogue"))
            free.append(await other.scalar(sa.select(lock)))
        return await read(tx)

    monkeypatch.setattr(current, "sources_of", sources_of)
    await office.do(publish, actor=BEN)
    assert free == [False]
