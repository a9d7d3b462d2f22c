"""What clerks do for a deposit that already lies in a box: correct, prolong, lift a lock, speak for a person.

As in `service`, the centre asks and the box decides.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.catalogue import model as catalogue_model
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.hours import model as hours
from servicepunkt.core.notices import service as notices
from servicepunkt.core.phone import NumberRefused, mobile_number
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import deadlines, model, service, store, wire
from servicepunkt.dokbox.model import Event, State
from servicepunkt.dokbox.service import Correction
from servicepunkt.dokbox.settings import countries_of, settings_of
from servicepunkt.dokbox.store import DepositRow

MOST_WRONG_CALLERS = 3


def allowed(ctx: TenantContext, row: DepositRow) -> list[str]:
    """What of this module a clerk may ask for in the deposit's state."""
    policy = settings_of(ctx).document(row.kind)
    longer = policy is not None and policy.extension_days and row.until is not None
    found = ["extend"] if longer and service.can(row, Event.EXTEND) else []
    found += ["lift"] if row.state == State.LOCKED_OUT and not row.disowned else []
    found += ["old_document_void"] if row.unclear and row.state in model.COLLECTABLE else []
    # Before the code is made the box keeps somebody's number as well as after it.
    before = row.state in (State.RESERVED, State.LOADING, State.PRESENTED, State.BLOCKED)
    may_correct = row.personal is not None and not row.correcting and (before or service.can(row, Event.NEW_CODE))
    return [*found, "correct"] if may_correct else found


async def correct(
    deployment: Deployment, ctx: TenantContext, *, actor: str, deposit_id: UUID, correction: Correction
) -> DepositRow:
    """The number or address was wrong: what was sent there opens nothing any more, a new code goes to the right one.

    For the centre the new one counts from the moment on at which the box has taken it. Until then, and when the box
    declines it, nothing is sent: what is kept of the person is known to be wrong.
    Raises InvalidInputError with every mistake, NotFoundError, ConflictError.
    """
    now = deployment.clock.now()
    settings = settings_of(ctx)
    async with deployment.database.tenant(ctx) as tx:
        row = await service.locked(tx, deposit_id)
        if "correct" not in allowed(ctx, row):
            raise ConflictError(f"a deposit in state {row.state} keeps its number")
        policy = settings.document(row.kind)
        before = await service.personal_of(deployment, tx, row)
        mistakes: list[tuple[str, str]] = []
        found = service.personal_from(correction, policy, countries_of(ctx), today=now.date(), mistakes=mistakes)
        if mistakes:
            raise InvalidInputError(mistakes)
        personal = msgspec.structs.replace(found, document_number=before.document_number)
        sealed = await deployment.keyring.seal(tx, row.id, msgspec.json.encode(personal), field="deposit")
        await notices.supersede(tx, row.id, at=now)
        public_key = await service.key_of_box(tx, row.box)
        told = service.sealed_person(public_key, personal, ctx.id, row.box, row.id)
        seq = await service.queue_command(tx, row.box, "new_person", at=now, deposit=row.id, actor=actor, sealed=told)
        await store.update_deposit(
            tx, row.id, correction=sealed, correcting=seq, disowned=True, alert="", updated_at=now
        )
        await audit.record(tx, at=now, actor=actor, action="deposit.correct", subject=f"deposit:{row.id}")
    return row


async def extend(deployment: Deployment, ctx: TenantContext, *, actor: str, deposit_id: UUID) -> DepositRow:
    """Keep a document longer, by the days that its kind allows. Raises NotFoundError, ConflictError."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await service.locked(tx, deposit_id)
        policy = settings_of(ctx).document(row.kind)
        if policy is None or row.until is None or "extend" not in allowed(ctx, row):
            raise ConflictError(f"a deposit in state {row.state} cannot be kept longer")
        waiting = await store.waiting_commands(tx, row.box, deposit_id=row.id)
        if any(found.command.kind == "extend" for found in waiting):
            return row
        until = await last_day(tx, row.box, row.until, policy.extension_days)
        await service.queue_command(tx, row.box, "extend", at=now, deposit=row.id, actor=actor, until=until)
        await audit.record(
            tx, at=now, actor=actor, action="deposit.extend", subject=f"deposit:{row.id}", until=until.isoformat()
        )
    return row


async def lift(
    deployment: Deployment, ctx: TenantContext, *, actor: str, deposit_id: UUID, phone: str, birth_date: str
) -> DepositRow:
    """Somebody calls whose deposit is locked: if what he says fits, a new code goes to where the first one went.

    Nothing that is stored is shown to the clerk. Three wrong callers, and it has to be done at the counter. Raises
    InvalidInputError in the same words whatever was wrong, NotFoundError, ConflictError.
    """
    now = deployment.clock.now()
    wrong = False
    async with deployment.database.tenant(ctx) as tx:
        row = await service.locked(tx, deposit_id)
        if "lift" not in allowed(ctx, row):
            raise ConflictError(f"a deposit in state {row.state} is not locked")
        if await _wrong_callers(tx, row, since=now - timedelta(days=1)) >= MOST_WRONG_CALLERS:
            raise InvalidInputError([("phone", "There were too many wrong answers today. Please meet at the counter.")])
        personal = await service.personal_of(deployment, tx, row)
        wrong = not _is_that_person(personal, phone, birth_date, countries_of(ctx))
        action = "deposit.caller_refused" if wrong else "deposit.caller_known"
        if not wrong:
            await service.queue_command(tx, row.box, "new_code", at=now, deposit=row.id, actor=actor)
            await store.update_deposit(tx, row.id, alert="", updated_at=now)
        await audit.record(tx, at=now, actor=actor, action=action, subject=f"deposit:{row.id}")
    if wrong:
        raise InvalidInputError([("phone", "What the caller says does not fit this deposit.")])
    return row


async def _wrong_callers(tx: Transaction, row: DepositRow, *, since: datetime) -> int:
    entries = [entry async for entry in audit_store.entries(tx, subject=f"deposit:{row.id}")]
    return sum(entry.action == "deposit.caller_refused" and entry.at >= since for entry in entries)


def _is_that_person(personal: service.Personal, phone: str, birth_date: str, countries: tuple[str, ...]) -> bool:
    try:
        number = mobile_number(phone, countries) if personal.phone else phone.strip().lower()
    except NumberRefused:
        return False
    known = personal.phone or personal.email.lower()
    born = service.read_date(birth_date)
    fits = not personal.birth_date or (born is not None and born.isoformat() == personal.birth_date)
    return number == known and fits


async def attest(
    deployment: Deployment, ctx: TenantContext, *, actor: str, deposit_id: UUID, call: int, answer: bool
) -> DepositRow:
    """Staff stand beside the person at the box: face and document fit, or not. Raises NotFoundError, ConflictError.

    The answer is for whoever called them with the entry `call`, and for nobody who types a code after him.
    """
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await service.locked(tx, deposit_id)
        if row.state != State.PRESENTED or row.alert != store.STAFF_WANTED or call != await call_of(tx, row.id):
            raise ConflictError("nobody waits at the box for this document any more")
        until = now + timedelta(seconds=wire.OPENING_TTL_SECONDS)
        await service.queue_command(
            tx,
            row.box,
            "attest",
            at=now,
            deposit=row.id,
            actor=actor,
            answer=answer,
            call=call,
            valid_until=until,
        )
        action = "deposit.attest" if answer else "deposit.attest_refused"
        await audit.record(tx, at=now, actor=actor, action=action, subject=f"deposit:{row.id}")
    return row


async def call_of(tx: Transaction, deposit_id: UUID) -> int:
    """The entry by which somebody at the box called last, 0 without."""
    events = await store.events_of(tx, str(deposit_id))
    return next((entry.seq for entry in reversed(events) if entry.event == store.STAFF_WANTED), 0)


async def old_document_void(deployment: Deployment, ctx: TenantContext, *, actor: str, deposit_id: UUID) -> DepositRow:
    """Staff have looked into the slot for an old document of which the box did not hear the end: it is void.

    Raises NotFoundError, ConflictError.
    """
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await service.locked(tx, deposit_id)
        if "old_document_void" not in allowed(ctx, row):
            raise ConflictError("nothing is unclear about an old document here")
        await service.queue_command(tx, row.box, "old_document_void", at=now, deposit=row.id, actor=actor)
        subject = f"deposit:{row.id}"
        await audit.record(tx, at=now, actor=actor, action="deposit.old_document_void", subject=subject)
    return row


async def begin_inventory(deployment: Deployment, ctx: TenantContext, *, actor: str, box_id: str) -> None:
    """Somebody opened doors with a key: nothing is handed out before staff have looked. Raises NotFoundError."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        await service.queue_command(tx, box_id, "inventory", at=now, actor=actor)
        await audit.record(tx, at=now, actor=actor, action="box.inventory", subject=f"box:{box_id}")


async def set_closing(deployment: Deployment, ctx: TenantContext, *, actor: str, box_id: str, closing: bool) -> None:
    """A box is emptied before it is moved: it takes nothing in; what lies in it is taken back one by one."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        if await store.find_box(tx, box_id, lock=True) is None:
            raise NotFoundError
        await store.update_box(tx, box_id, closing=closing)
        action = "box.closing" if closing else "box.reopened"
        await audit.record(tx, at=now, actor=actor, action=action, subject=f"box:{box_id}")


async def last_day(tx: Transaction, box_id: str, first: date, days: int) -> date:
    """The last day of a period that begins on `first`, at the point where the box stands."""
    content = await catalogue.newest(tx)
    settings = settings_of(tx.ctx).box(box_id)
    point = content.point(settings.point) if settings else None
    if point is None:
        return first + timedelta(days=days)
    rule = catalogue_model.point_hours(content, point)
    calendar = calendar_of(tx.ctx)
    return deadlines.last_day(first, days, lambda day: hours.opens_on(rule, calendar, day))


def calendar_of(ctx: TenantContext) -> hours.Calendar:
    return hours.Calendar(ctx.zone, ctx.subdivision)
