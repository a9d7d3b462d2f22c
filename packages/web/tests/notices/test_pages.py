"""Staff see which messages did not arrive and why, and never to whom they went."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from servicepunkt.core.notices import service, store
from servicepunkt.core.notices.model import NEVER_SENT, STATES
from servicepunkt.web.notices.pages import REASON_WORDS, STATE_WORDS

if TYPE_CHECKING:
    from conftest import Town, Visit

PHONE = "+4915112345678"


async def fail(here: Town, reference: str, state: str = "permanent-failure", provider: str = "") -> None:
    deployment = here.deployment
    async with deployment.database.tenant(here.alpha) as tx:
        at = deployment.clock.now()
        notice = await service.create(
            tx, deployment.keyring, at=at, case=uuid4(), kind="sms", recipient=PHONE, template="x", locale="de",
            params={}, source="box-1",
        )  # fmt: skip
        sent_at = at if provider else None
        await store.update(tx, notice.id, at=at, state=state, reference=reference, provider=provider, sent_at=sent_at)


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("limit", "Zu viele Nachrichten an diese Nummer"),
        ("number", "Keine Handynummer"),
        ("rehearsal", "Probe: Dieser Empfänger steht nicht auf der Liste"),
        ("unreadable", "Der Vorgang wurde abgeschlossen"),
        ("incomplete", "Der Text hat eine Stelle, für die es keinen Wert gibt"),
        ("expired", "Sie konnte nicht rechtzeitig gesendet werden"),
    ],
)
async def test_why_a_message_was_not_sent(here: Town, visit: Visit, reference: str, sentence: str) -> None:
    await fail(here, reference)
    await visit.sign_in("clerk")
    page = (await visit.get("/t/alpha/staff/notices")).text
    assert sentence in page
    assert "box-1" in page
    assert PHONE[3:] not in page
    assert "Nachrichten, die nicht angekommen sind" in (await visit.get("/t/alpha/staff")).text


async def test_what_the_provider_calls_it_is_shown(here: Town, visit: Visit) -> None:
    await fail(here, "m-77", provider="north")
    await fail(here, "limit", provider="south")
    await visit.sign_in("clerk")
    page = (await visit.get("/t/alpha/staff/notices")).text
    assert "north · m-77" in page
    assert "Abgelehnt: Nummer oder Adresse ist nicht erreichbar." in page
    assert "south · limit" in page, "a provider may call a message so"


@pytest.mark.parametrize(
    ("state", "sentence"), [("created", "vielleicht läuft kein Worker"), ("sending", "das Protokoll des Workers")]
)
async def test_what_nobody_was_asked_to_send_is_shown(here: Town, visit: Visit, state: str, sentence: str) -> None:
    await fail(here, "", state=state)
    await visit.sign_in("clerk")
    assert sentence not in (await visit.get("/t/alpha/staff/notices")).text
    here.deployment.clock.forward(minutes=16)  # type: ignore[attr-defined]  # it is a FixedClock
    assert sentence in (await visit.get("/t/alpha/staff/notices")).text


async def test_without_trouble_the_page_says_so(here: Town, visit: Visit) -> None:
    await fail(here, "superseded")
    await visit.sign_in("clerk")
    assert "Alle Nachrichten der letzten Woche" in (await visit.get("/t/alpha/staff/notices")).text


async def test_it_is_not_for_everybody(visit: Visit) -> None:
    await visit.sign_in("guide")
    assert (await visit.get("/t/alpha/staff/notices")).status_code == 403


def test_every_reason_has_its_words() -> None:
    assert set(REASON_WORDS) == set(NEVER_SENT) - {"superseded"}
    assert set(STATE_WORDS) == set(STATES) - {"delivered"}
