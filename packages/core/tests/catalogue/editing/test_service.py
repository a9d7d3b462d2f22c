"""Editors at work on real tables: nothing of theirs is lost in silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import pytest

from servicepunkt.core.audit import store as audit
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue import store as revisions
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.editing import store
from servicepunkt.core.catalogue.editing.model import MISSING_OWN_NAME, DraftWaitsError, Edit, OwnEditError
from servicepunkt.core.catalogue.model import Link, Service
from servicepunkt.core.catalogue.sources import current
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Office

ANNA, BEN = "account:anna", "account:ben"


# --- from a draft to what people read --------------------------------------------------------------------------


async def test_a_draft_is_nothing_that_people_read(office: Office) -> None:
    edit = await office.write("summary/de", "Neu")
    assert (await office.publish()).published == ()
    assert (await office.read()).summary == {"de": "Alt", "en": "Old"}
    await office.do(editing.approve, edit.id, actor=ANNA)
    outcome = await office.publish()
    assert outcome.revision == 2
    assert (await office.read()).summary == {"de": "Neu", "en": "Old"}
    assert (await office.edit(edit)).state == "live"
    assert await office.actions() == [(ANNA, "catalogue-edit.approve"), (BEN, "catalogue-edit.publish")]


async def test_the_audit_names_the_value_and_never_its_text(office: Office) -> None:
    edit = await office.live("summary/de", "CANARY")
    async with office.deployment.database.tenant(office.ctx) as tx:
        entries = [one async for one in audit.entries(tx)]
    assert entries[-1].subject == f"catalogue-edit:{edit.id}"
    assert entries[-1].details == {"service": "card", "path": "summary/de"}
    assert "CANARY" not in str(entries)


async def test_what_each_source_says_stands_beside_each_value(office: Office) -> None:
    await office.arrives("card Vom Land\nbus Fahren")
    await office.live("summary/de", "Unser Text")
    sight = await office.do(editing.sight, "card")
    value = sight.at("summary/de")
    assert (value.said, value.origin, value.below, value.below_origin) == ("Unser Text", "editors", "Alt", "files")
    assert value.live is not None
    assert sight.at("name/en").origin == "files"
    assert sight.at("audience").origin == "town"
    assert sight.sources == ("town", "files", "editors")
    revision = await office.do(revisions.newest)
    said = msgspec.json.decode(await office.do(revisions.origins, revision[0]))
    assert said["services/card"]["summary/de"] == "editors"
    with pytest.raises(NotFoundError):
        await office.do(editing.sight, "none")


async def test_an_edit_does_not_put_its_service_before_all_others(office: Office) -> None:
    await office.live("summary/de", "Neu", service="other")
    assert [one.id for one in (await office.do(catalogues.newest)).services] == ["card", "other"]


async def test_an_edited_service_of_somebody_else_is_still_somebody_elses(office: Office) -> None:
    """What it refers to and what is nowhere is left out, as before, and keeps nobody from publishing."""
    await office.arrives("bus Fahren")
    await office.live("summary/de", "Mitfahren", service="bus")
    assert (await office.read("bus")).competence == ""


async def test_a_module_that_people_wrote_is_no_translation_of_a_machine(office: Office) -> None:
    assert (await office.read()).modules[0].translated == ("en",)
    await office.live("modules/11/000/en", ("Like this", False))
    (module,) = (await office.read()).modules
    assert (module.text, module.translated) == ({"de": "So", "en": "Like this"}, ())


async def test_an_empty_text_takes_a_text_away(office: Office) -> None:
    await office.live("summary/en", "")
    assert (await office.read()).summary == {"de": "Alt"}


async def test_the_same_draft_is_written_on_by_several(office: Office) -> None:
    first = await office.write("summary/de", "Neu")
    second = await office.write("summary/de", "Neuer", actor=BEN)
    assert (second.id, second.author, second.authors) == (first.id, BEN, (ANNA, BEN))
    assert (await office.edit(first)).authors == (ANNA, BEN)


async def test_what_is_typed_back_ends_the_draft(office: Office) -> None:
    edit = await office.write("summary/de", "Neu")
    assert await office.do(editing.write, "card", {"summary/de": "Alt"}, actor=ANNA) == []
    assert (await office.edit(edit)).state == "withdrawn"
    assert await office.do(editing.write, "card", {"summary/de": "Alt", "ended/de": ""}, actor=ANNA) == []


async def test_what_is_typed_back_to_the_source_lets_the_source_speak(office: Office) -> None:
    await office.live("summary/de", "Neu")
    edit = await office.write("summary/de", "Alt")
    assert edit.said is None
    await office.do(editing.approve, edit.id, actor=ANNA)
    outcome = await office.publish()
    assert [one.state for one in outcome.published] == ["withdrawn"]
    assert (await office.do(editing.sight, "card")).at("summary/de").live is None
    assert (await office.read()).summary["de"] == "Alt"


async def test_who_comes_second_at_a_form_is_told(office: Office) -> None:
    mark = (await office.do(editing.sight, "card")).at("summary/de").mark
    await office.write("summary/de", "Anna", marks={"summary/de": mark})
    with pytest.raises(InvalidInputError, match="in the meantime"):
        await office.write("summary/de", "Ben", actor=BEN, marks={"summary/de": mark})
    assert (await office.do(editing.sight, "card")).at("summary/de").shown == "Anna"


async def test_every_mistake_is_named_and_nothing_is_kept(office: Office) -> None:
    typed = {"name/de": "<ul><li>x</li></ul>", "summary/de": "\x07", "summary/en": "Fine"}
    with pytest.raises(InvalidInputError) as caught:
        await office.do(editing.write, "card", typed, actor=ANNA)
    assert [place for place, _ in caught.value.mistakes] == ["name/de", "summary/de"]
    assert await office.do(store.edits, ("draft",)) == []


async def test_a_service_cannot_lose_its_last_name(office: Office) -> None:
    with pytest.raises(InvalidInputError, match="needs a name"):
        await office.write("name/de", "", service="other")


async def test_what_everybody_sees_keeps_its_name_in_the_language_of_the_town(office: Office) -> None:
    with pytest.raises(InvalidInputError, match="own language"):
        await office.write("name/de", "")
    await office.live("visibility", "staff")
    await office.live("name/de", "")
    with pytest.raises(InvalidInputError) as caught:
        await office.write("visibility", "public")
    assert caught.value.mistakes == [("visibility", MISSING_OWN_NAME)]
    both = {"visibility": "public", "name/de": "Karte"}
    assert len(await office.do(editing.write, "card", both, actor=ANNA)) == 2


async def test_a_service_that_comes_in_another_language_is_published_and_edited(office: Office) -> None:
    foreign = Service(id="foreign", name={"en": "Foreign"}, themes=("papers",))
    await office.files(msgspec.structs.replace(office.own, services=(*office.own.services, foreign)))
    await office.live("summary/en", "Short", service="foreign")
    assert (await office.read("foreign")).name == {"en": "Foreign"}


async def test_a_new_edit_takes_the_place_of_the_old_one(office: Office) -> None:
    first = await office.live("summary/de", "Eins")
    await office.live("summary/de", "Zwei")
    assert (await office.edit(first)).state == "withdrawn"
    assert (await office.read()).summary["de"] == "Zwei"
    assert len(await office.do(store.edits, ("live",))) == 1


async def test_a_day_is_taken_away_again(office: Office) -> None:
    """Who says nothing of the day leaves it; None means that there is none."""
    day = date(2027, 1, 1)
    edit = await office.write("summary/de", "Neu", publish_on=day)
    assert (await office.write("summary/de", "Neuer")).publish_on == day
    assert (await office.write("summary/de", "Neuer", publish_on=None)).publish_on is None
    assert (await office.write("summary/de", "Neuer", publish_on=day)).publish_on == day
    assert (await office.do(editing.propose, edit.id, actor=ANNA)).publish_on == day
    assert (await office.do(editing.approve, edit.id, actor=BEN, publish_on=None)).publish_on is None
    assert (await office.do(editing.take_back, edit.id, actor=BEN)).state == "draft"
    assert (await office.do(editing.propose, edit.id, actor=BEN, publish_on=day)).publish_on == day
    again = await office.write("summary/de", "Neuer", publish_on=None)
    assert (again.state, again.publish_on) == ("draft", None), "the same text for another day is looked at once more"


# --- four eyes ------------------------------------------------------------------------------------------------


async def test_four_eyes_are_those_of_two_people(strict: Office) -> None:
    edit = await strict.write("summary/de", "Neu")
    with pytest.raises(ConflictError):
        await strict.do(editing.approve, edit.id, actor=BEN)
    await strict.do(editing.propose, edit.id, actor=ANNA)
    with pytest.raises(OwnEditError):
        await strict.do(editing.approve, edit.id, actor=ANNA)
    assert (await strict.publish()).published == ()
    await strict.do(editing.approve, edit.id, actor=BEN, remark="Gut")
    await strict.publish(actor=ANNA)
    assert (await strict.read()).summary["de"] == "Neu"
    assert [action for _, action in await strict.actions()] == [
        f"catalogue-edit.{verb}" for verb in ("propose", "approve", "publish")
    ]


async def test_what_was_written_on_after_approval_needs_it_once_more(strict: Office) -> None:
    edit = await strict.write("summary/de", "Neu")
    await strict.do(editing.propose, edit.id, actor=ANNA)
    await strict.do(editing.approve, edit.id, actor=BEN)
    await strict.write("summary/de", "Ganz neu", actor=BEN)
    assert ((await strict.edit(edit)).state, (await strict.edit(edit)).approver) == ("draft", "")
    assert (await strict.publish()).published == ()
    await strict.do(editing.propose, edit.id, actor=BEN)
    for actor in (ANNA, BEN):
        with pytest.raises(OwnEditError):
            await strict.do(editing.approve, edit.id, actor=actor)


async def test_nobody_decides_about_what_he_has_not_seen(strict: Office) -> None:
    edit = await strict.write("summary/de", "Harmlos")
    shown = await strict.do(editing.propose, edit.id, actor=ANNA)
    await strict.write("summary/de", "Anders")
    await strict.do(editing.propose, edit.id, actor=ANNA)
    for step, options in (
        (editing.approve, {}),
        (editing.reject, {"remark": "Nein"}),
        (editing.take_back, {}),
    ):
        with pytest.raises(ConflictError):
            await strict.do(step, edit.id, actor=BEN, seen=shown.mark, **options)
    assert (await strict.edit(edit)).state == "proposed"
    await strict.do(editing.approve, edit.id, actor=BEN, seen=(await strict.edit(edit)).mark)
    assert (await strict.edit(edit)).state == "approved"


async def test_who_rejects_says_why(strict: Office) -> None:
    edit = await strict.write("summary/de", "Neu")
    await strict.do(editing.propose, edit.id, actor=ANNA)
    with pytest.raises(InvalidInputError):
        await strict.do(editing.reject, edit.id, actor=BEN, remark="")
    await strict.do(editing.reject, edit.id, actor=BEN, remark="Bitte kürzer")
    found = await strict.edit(edit)
    assert (found.state, found.remark, found.approver) == ("rejected", "Bitte kürzer", BEN)
    again = await strict.write("summary/de", "N")
    assert (again.id, again.state, again.remark) == (edit.id, "draft", "Bitte kürzer")


async def test_a_withdrawal_needs_four_eyes_as_well(strict: Office) -> None:
    edit = await strict.live("summary/de", "Neu")
    proposal = await strict.do(editing.withdraw, edit.id, actor=BEN)
    assert (proposal.state, proposal.said) == ("proposed", None)
    await strict.publish()
    assert (await strict.read()).summary["de"] == "Neu"
    with pytest.raises(OwnEditError):
        await strict.do(editing.approve, proposal.id, actor=BEN)
    await strict.do(editing.approve, proposal.id, actor=ANNA)
    await strict.publish()
    assert (await strict.read()).summary["de"] == "Alt"


async def test_a_colleagues_draft_is_not_lost_when_the_source_shall_speak_again(office: Office) -> None:
    edit = await with_land(office)
    draft = await office.write("summary/de", "Ein langer Entwurf", actor=BEN, service="bus")
    with pytest.raises(DraftWaitsError):
        await office.do(editing.withdraw, edit.id, actor=ANNA)
    await office.arrives("bus Anders fahren")
    (found,) = await office.conflicts()
    assert found.waiting == draft
    with pytest.raises(DraftWaitsError):
        await office.do(editing.take_theirs, edit.id, actor=ANNA, seen=found.mark)
    assert (await office.edit(draft)).state == "draft"
    await office.do(editing.discard, draft.id, actor=BEN)
    assert (await office.do(editing.withdraw, edit.id, actor=ANNA)).state == "approved"


# --- what sources change below ---------------------------------------------------------------------------------


async def with_land(office: Office) -> Edit:
    await office.arrives("bus Fahren\ntram Auch fahren")
    return await office.live("summary/de", "Mit uns fahren", service="bus")


async def test_a_change_below_is_a_task_and_the_edit_holds_until_it_is_answered(office: Office) -> None:
    edit = await with_land(office)
    assert await office.conflicts() == []
    await office.arrives("bus Anders fahren\ntram Auch")
    (found,) = await office.conflicts()
    assert (found.edit.id, found.edit.said, found.edit.stood_below, found.below_now, found.origin) == (
        edit.id,
        "Mit uns fahren",
        "Fahren",
        "Anders fahren",
        "town",
    )
    await office.publish()
    assert (await office.read("bus")).summary["de"] == "Mit uns fahren"
    assert len(await office.conflicts()) == 1
    await office.do(editing.keep_mine, edit.id, actor=ANNA, seen=found.mark)
    assert await office.conflicts() == []
    assert (await office.actions())[-1] == (ANNA, "catalogue-edit.keep")
    await office.arrives("bus Noch anders")
    assert [one.edit.stood_below for one in await office.conflicts()] == ["Anders fahren"]


async def test_who_answers_has_seen_what_stands_there_now(office: Office) -> None:
    edit = await with_land(office)
    await office.arrives("bus Zwei")
    (found,) = await office.conflicts()
    await office.arrives("bus Drei")
    for answer in (editing.keep_mine, editing.take_theirs):
        with pytest.raises(ConflictError):
            await office.do(answer, edit.id, actor=ANNA, seen=found.mark)
    assert len(await office.conflicts()) == 1


async def test_theirs_holds_again_after_it_was_taken(office: Office) -> None:
    edit = await with_land(office)
    await office.arrives("bus Anders fahren")
    (found,) = await office.conflicts()
    answer = await office.do(editing.take_theirs, edit.id, actor=ANNA, seen=found.mark)
    assert (answer.state, answer.said) == ("approved", None)
    assert await office.conflicts() == []
    await office.publish()
    assert (await office.read("bus")).summary["de"] == "Anders fahren"
    assert (await office.edit(edit)).state == "withdrawn"


async def test_writing_anew_answers_when_it_is_proposed(office: Office) -> None:
    await with_land(office)
    await office.arrives("bus Anders fahren")
    draft = await office.write("summary/de", "Neu gefahren", service="bus")
    assert len(await office.conflicts()) == 1
    await office.do(editing.propose, draft.id, actor=ANNA)
    assert await office.conflicts() == []
    await office.arrives("bus Ganz anders")
    assert len(await office.conflicts()) == 1


async def test_what_the_land_says_of_a_key_lies_below_and_its_change_is_a_task(office: Office) -> None:
    key = "99085001000000"
    passport = Service(id="passport", name={"de": "Pass"}, leika=(key,), themes=("papers",))
    await office.files(msgspec.structs.replace(office.own, services=(*office.own.services, passport)))
    await office.arrives(f"{key} Vom Land", layer="land")
    await office.publish()
    value = (await office.do(editing.sight, "passport")).at("summary/de")
    assert (value.said, value.origin) == ("Vom Land", "land")
    edit = await office.live("summary/de", "Unser Pass", service="passport")
    assert (await office.read("passport")).summary["de"] == "Unser Pass"
    assert await office.conflicts() == []
    await office.arrives(f"{key} Vom Land, neu", layer="land")
    (found,) = await office.conflicts()
    assert (found.edit.id, found.edit.stood_below, found.below_now, found.origin) == (
        edit.id,
        "Vom Land",
        "Vom Land, neu",
        "land",
    )
    with pytest.raises(NotFoundError):
        await office.do(editing.sight, f"land-{key}")


async def test_a_source_that_says_the_same_now_asks_nothing(office: Office) -> None:
    await with_land(office)
    await office.arrives("bus Mit uns fahren")
    assert await office.conflicts() == []


async def test_a_service_that_is_gone_leaves_a_task_and_no_nameless_service(office: Office) -> None:
    edit = await with_land(office)
    await office.arrives("tram Auch fahren")
    (found,) = await office.conflicts()
    assert (found.gone, found.edit.id) == (True, edit.id)
    await office.publish()
    assert [one.id for one in (await office.do(catalogues.newest)).services] == ["card", "other", "tram"]
    composed = await office.do(current.composed)
    assert ("services.bus", "no source has it any more, but editors") in composed.left_out
    await office.arrives("bus Wieder da\ntram Auch")
    await office.publish()
    assert (await office.read("bus")).summary["de"] == "Mit uns fahren"
    await office.arrives("tram Auch fahren")
    assert await office.do(editing.take_theirs, edit.id, actor=ANNA, seen=found.mark) is None
    assert await office.conflicts() == []


# --- whose -----------------------------------------------------------------------------------------------------


async def test_another_tenant_sees_nothing_of_it(
    office: Office, other: TenantContext, office_of: Callable[[TenantContext], Office]
) -> None:
    foreign = office_of(other)
    await foreign.files(msgspec.structs.replace(office.own, services=(office.own.services[0],)))
    edit = await office.live("summary/de", "Neu")
    waiting = await office.write("summary/en", "New")
    assert (await foreign.read()).summary["de"] == "Alt"
    sight = await foreign.do(editing.sight, "card")
    assert [one.waiting or one.live for one in sight.values.values()] == [None] * len(sight.values)
    for verb in (editing.propose, editing.approve, editing.take_back, editing.discard, editing.withdraw):
        for known in (edit, waiting):
            with pytest.raises(NotFoundError):
                await foreign.do(verb, known.id, actor=BEN)
    assert (await office.edit(waiting)).state == "draft"


async def test_what_was_withdrawn_long_ago_is_erased(office: Office, clock: FixedClock) -> None:
    edit = await office.write("summary/de", "Neu")
    await office.do(editing.discard, edit.id, actor=ANNA)
    assert await office.do(store.delete_ended, clock.now()) == 0
    clock.forward(days=800)
    assert await office.do(store.delete_ended, clock.now()) == 1


async def test_links_of_a_service_are_written_as_a_whole(office: Office) -> None:
    await office.live("links", [{"kind": "page", "url": "https://example.org", "name": {"de": "Mehr"}}])
    assert (await office.read()).links == (Link(kind="page", url="https://example.org", name={"de": "Mehr"}),)
