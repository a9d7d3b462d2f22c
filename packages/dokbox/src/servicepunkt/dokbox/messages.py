"""What citizens are told of a deposit: the code, a fresh code, a reminder, and that it is in the box no longer.

A code reaches the worker sealed; nobody here can read it. Messages that hold no code say so little that they may lie
open on a telephone.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hours import model as hours
from servicepunkt.core.jobs import job
from servicepunkt.core.keys import store as keys
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices.model import EXPIRED, Notice
from servicepunkt.core.notices.store import unsent_of_case
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import deadlines, store, wire
from servicepunkt.dokbox.care import calendar_of, last_day
from servicepunkt.dokbox.model import Event, State
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.service import personal_of, queue_command
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.wire import CommandKind

FRESH_TEMPLATE = "pickup-fresh-code"


async def send_code(
    deployment: Deployment, tx: Transaction, found: DepositRow, sealed: bytes, *, version: int, at: datetime
) -> None:
    """The message with the code: one notice for each version, and never two versions under way at once."""
    policy = policy_of(tx.ctx, found)
    await notices.supersede(tx, found.id, at=at)
    until = await last_day(tx, found.box, tx.ctx.local_date(at), policy.hold_days)
    until = max(until, found.until or until)  # what was promised is kept
    await store.update_deposit(tx, found.id, until=until)
    context = wire.code_context(tx.tenant_id, found.box, str(found.id), version)
    await _send(deployment, tx, found, policy.notice_template, at=at, until=until, sealed=sealed, context=context)


async def send_fresh(
    deployment: Deployment, tx: Transaction, found: DepositRow, sealed: bytes, *, version: int, at: datetime
) -> None:
    """The code that is good for minutes, for somebody who stands at the box; it takes the place of an earlier one."""
    await notices.supersede(tx, found.id, at=at, template=FRESH_TEMPLATE)
    context = wire.fresh_context(tx.tenant_id, found.box, str(found.id), version)
    ends = at + timedelta(minutes=policy_of(tx.ctx, found).fresh_minutes)
    await _send(
        deployment, tx, found, FRESH_TEMPLATE, at=at, until=found.until, ends=ends, sealed=sealed, context=context
    )


async def farewell(deployment: Deployment, tx: Transaction, found: DepositRow, *, after: str, at: datetime) -> None:
    """The hand-over is over: number and code go at once, what remains says only that it happened.

    Who had been told of a document that was taken back is told where it lies now; the key goes when that is sent.
    """
    policy = policy_of(tx.ctx, found)
    await notices.supersede(tx, found.id, at=at)
    knows = found.notified_at is not None and found.personal is not None and not found.disowned
    tells = after == State.RETURNED and knows
    if tells:
        await _send(deployment, tx, found, policy.withdrawn, at=at, until=None)
    await store.update_deposit(tx, found.id, personal=None, correction=None, correcting=0)
    if not tells:
        await deployment.keyring.erase(tx, found.id)


@job(plugin="dokbox", name="dokbox.remind", every="*/20 * * * *")
async def remind(deployment: Deployment, ctx: TenantContext) -> None:
    """Remind those who have not come, at hours in which a message disturbs nobody; each reminder goes out once.

    What could not be sent in these hours is of no use after them: another one is made on the next day.
    """
    now = deployment.clock.now()
    if now.astimezone(ctx.zone_info).hour not in deadlines.REMINDING_HOURS:
        return
    async with deployment.database.tenant(ctx) as tx:
        due = [row.id for row in await store.waiting_for_citizens(tx) if _reminders_due(ctx, row, now) > row.reminded]
    for deposit_id in due:
        async with deployment.database.tenant(ctx) as tx:
            await _remind(deployment, tx, deposit_id, now)


async def _remind(deployment: Deployment, tx: Transaction, deposit_id: UUID, now: datetime) -> None:
    row = await store.find_deposit(tx, deposit_id, lock=True)
    if row is None or row.state != State.NOTIFIED or row.disowned:
        return
    due = _reminders_due(tx.ctx, row, now)
    if due > row.reminded:
        await store.update_deposit(tx, row.id, reminded=due)
        evening = now.astimezone(tx.ctx.zone_info).replace(
            hour=deadlines.REMINDING_HOURS.stop, minute=0, second=0, microsecond=0
        )
        reminder = policy_of(tx.ctx, row).reminder
        await _send(deployment, tx, row, reminder, at=now, until=row.until, ends=evening)


def _reminders_due(ctx: TenantContext, row: DepositRow, now: datetime) -> int:
    today = ctx.local_date(now)
    if row.notified_at is None or row.until is None or today > row.until:
        return 0
    return deadlines.reminders_due(policy_of(ctx, row).reminders, row.notified_at, now)


def policy_of(ctx: TenantContext, found: DepositRow) -> DocumentPolicy:
    """The deposit's policy; the usual one where the tenant file no longer names its kind."""
    return settings_of(ctx).document(found.kind) or DocumentPolicy(type=found.kind, name={})


async def _send(
    deployment: Deployment,
    tx: Transaction,
    found: DepositRow,
    template: str,
    *,
    at: datetime,
    until: date | None,
    ends: datetime | None = None,
    sealed: bytes | None = None,
    context: str = "",
) -> None:
    """`until` is the last day that the text may name; the message is of use until it is over, or until `ends`."""
    if until is not None and ends is None:
        ends = hours.midnight(until + timedelta(days=1), calendar_of(tx.ctx))
    settings = settings_of(tx.ctx)
    box = settings.box(found.box)
    personal = await personal_of(deployment, tx, found)
    channel = policy_of(tx.ctx, found).channel
    await notices.create(
        tx,
        deployment.keyring,
        at=at,
        case=found.id,
        kind=channel,
        recipient=personal.email if channel == "email" else personal.phone,
        template=template,
        locale=found.locale,
        params={
            "tenant": tx.ctx.name,
            "box": pick(box.name, found.locale) if box else found.box,
            "until": f"{until:%d.%m.}" if until else "",
            "counter": pick(settings.counter, found.locale) if settings.counter else tx.ctx.name,
        },
        sealed=sealed,
        sealed_context=context,
        source=found.box,
        until=ends,
    )


class DepositNotices:
    """Tells the box what became of a message with a code, and staff when it turned out not to have arrived."""

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None:
        found = await store.find_deposit(tx, notice.case)
        if found is None:
            return
        if found.state in store.FINAL:
            if not notice.sealed_context and not await unsent_of_case(tx, found.id):
                await keys.erase(tx, found.id)
            return
        if notice.reference == EXPIRED and notice.template == policy_of(tx.ctx, found).reminder:
            await store.update_deposit(tx, found.id, reminded=max(0, found.reminded - 1))
            return
        if not notice.sealed_context.startswith(wire.CODE):
            return
        kind: CommandKind = "notice_accepted" if accepted else "notice_failed"
        until = found.until if accepted else None
        version = _version_of(notice)
        await queue_command(tx, found.box, kind, at=tx.now(), deposit=found.id, version=version, until=until)

    async def undelivered(self, tx: Transaction, notice: Notice) -> None:
        """Staff alone are told: for the box the code is out, and the hold period neither ends nor starts anew."""
        found = await store.find_deposit(tx, notice.case)
        if found is None or found.state in store.FINAL or not notice.sealed_context.startswith(wire.CODE):
            return
        if found.version == _version_of(notice):
            await store.update_deposit(tx, found.id, alert=str(Event.NOTICE_FAILED), updated_at=tx.now())


def _version_of(notice: Notice) -> int:
    return int(notice.sealed_context.rpartition("|")[2])
