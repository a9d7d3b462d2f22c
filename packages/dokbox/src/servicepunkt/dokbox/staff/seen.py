"""A deposit as staff read it: where it stands, what they may ask of the box, and what the box has not answered yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import care, service, store
from servicepunkt.dokbox.health import MISSING_AFTER
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.dokbox.staff.words import (
    ACTION_WORDS,
    ALERT_WORDS,
    EVENT_WORDS,
    ORDER_WORDS,
    REFUSAL_WORDS,
    STATE_WORDS,
    WITH_FORM,
)
from servicepunkt.dokbox.store import BoxRow, DepositRow, WaitingCommand
from servicepunkt.web.sessions.model import Visitor

ACTION_PERMISSIONS: dict[str, str] = {
    "open_for_load": "deposits.load",
    "confirm_loaded": "deposits.load",
    "new_code": "deposits.unlock",
    "lift": "deposits.unlock",
    "correct": "deposits.create",
    "extend": "deposits.create",
    "old_document_void": "deposits.recall",
    "recall": "deposits.recall",
    "taken_back": "deposits.recall",
    "not_there": "deposits.recall",
    "cancel": "deposits.create",
}
# A box that is there answers within a second; somebody who waits in front of a door wants to know soon.
ANSWERS_WITHIN = timedelta(seconds=5)


def is_late(found: WaitingCommand, now: datetime) -> bool:
    """Whether the box should have answered by now."""
    return now - found.created_at >= ANSWERS_WITHIN


def is_away(box: BoxRow, waiting: Iterable[WaitingCommand], now: datetime) -> bool:
    """Whether the box was not heard of for long, or lets orders wait; its long polls may outlive it for a while."""
    silent = box.seen_at is None or now - box.seen_at > MISSING_AFTER
    return silent or any(is_late(found, now) for found in waiting)


class DepositSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit in a list: no number, no name; the reference is what people say aloud. Words are message ids."""

    id: UUID
    reference: str
    kind_id: str
    kind: str
    box_id: str
    box: str
    state: str
    state_words: str
    compartment: int | None
    alert: str
    attempts: int
    updated_at: datetime
    until: date | None = None


class ActionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the box; `ordered` while the box has not answered the same request yet.

    `asks`: it leads to a form instead of doing it at once.
    """

    kind: str
    words: str
    ordered: bool
    asks: bool = False


class WarningSeen(msgspec.Struct, frozen=True, kw_only=True):
    """That the box is away: a message id with a place for `time`, and when the box was last heard of."""

    sentence: str
    time: str
    heard: str


class DepositInFull(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page of one deposit shows. `digest` is another one as soon as anything is."""

    deposit: DepositSeen
    orders: list[str]
    warning: WarningSeen | None
    actions: list[ActionSeen]
    events: list[tuple[datetime, str]]
    moving: bool

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()


def deposit_seen(ctx: TenantContext, row: DepositRow, locale: str) -> DepositSeen:
    settings = settings_of(ctx)
    policy, box = settings.document(row.kind), settings.box(row.box)
    return DepositSeen(
        id=row.id,
        reference=row.reference,
        kind_id=row.kind,
        kind=pick(policy.name, locale) if policy else row.kind,
        box_id=row.box,
        box=pick(box.name, locale) if box else row.box,
        state=row.state,
        state_words=STATE_WORDS.get(row.state, row.state),
        compartment=row.compartment,
        alert=_alert_words(row),
        attempts=row.attempts,
        updated_at=row.updated_at.astimezone(ctx.zone_info),
        until=row.until if row.state not in store.FINAL else None,
    )


def _alert_words(row: DepositRow) -> str:
    lasting = ""
    if row.state not in store.FINAL:
        if row.unclear:
            lasting = store.OLD_DOCUMENT_UNCLEAR
        elif row.personal is None:
            lasting = "lost_here"
        elif row.disowned and not row.correcting:
            lasting = "disowned"
    alert = row.alert or lasting
    return ALERT_WORDS.get(alert) or REFUSAL_WORDS.get(alert, alert)


async def deposit_in_full(
    deployment: Deployment, ctx: TenantContext, visitor: Visitor, deposit_id: UUID, *, locale: str
) -> DepositInFull:
    """Raises NotFoundError."""
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_deposit(tx, deposit_id)
        box = await store.find_box(tx, row.box) if row else None
        if row is None or box is None:
            raise NotFoundError
        waiting = await store.waiting_commands(tx, row.box, deposit_id=row.id)
        events = await store.events_of(tx, str(deposit_id))
    now = deployment.clock.now()
    ordered = [found for found in waiting if found.command.kind in ORDER_WORDS]
    valid = [found.command.kind for found in ordered if found.command.is_valid(now)]
    return DepositInFull(
        deposit=deposit_seen(ctx, row, locale),
        orders=[ORDER_WORDS[kind] for kind in valid],
        warning=warning(ctx, row, box, ordered, now),
        actions=actions(ctx, row, visitor, valid),
        events=[(event.at.astimezone(ctx.zone_info), EVENT_WORDS.get(event.event, event.event)) for event in events],
        moving=row.state not in store.FINAL or bool(waiting),
    )


def actions(ctx: TenantContext, row: DepositRow, visitor: Visitor, ordered: Iterable[str]) -> list[ActionSeen]:
    """What this person may ask for now."""
    return [
        ActionSeen(kind=kind, words=ACTION_WORDS[kind], ordered=kind in ordered, asks=kind in WITH_FORM)
        for kind in [*service.allowed_requests(row), *care.allowed(ctx, row)]
        if visitor.may(ACTION_PERMISSIONS[kind]) and _is_sensible(row, kind)
    ]


def _is_sensible(row: DepositRow, kind: str) -> bool:
    """What staff found is asked where no sensor saw it, or where somebody has just looked."""
    if kind == "confirm_loaded":
        return row.alert == "closed_empty" or row.state == State.BLOCKED
    return True


def warning(
    ctx: TenantContext, row: DepositRow, box: BoxRow, ordered: list[WaitingCommand], now: datetime
) -> WarningSeen | None:
    """What staff must know of a box that does not answer: first of their own orders, then of the box."""

    def clock(instant: datetime | None) -> str:
        return f"{instant.astimezone(ctx.zone_info):%H:%M:%S}" if instant else ""

    heard = clock(box.seen_at)
    late = [found.command for found in ordered if is_late(found, now)]
    if late:
        until = late[-1].valid_until
        if until is None:
            sentence = "The box does not answer at the moment; the order is carried out as soon as it is back."
        elif late[-1].is_valid(now):
            sentence = "The box does not answer at the moment; the order is valid until {time}."
        else:
            sentence = "The box has not answered; the order ended at {time} and opens nothing any more."
        return WarningSeen(sentence=sentence, time=clock(until), heard=heard)
    if row.state not in store.FINAL and is_away(box, (), now):
        return WarningSeen(sentence="The box is away at the moment: orders reach it later.", time="", heard=heard)
    return None
