"""Create, deliver and give up notices. Nothing is sent inside a transaction, nothing is sent that is not a row."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec
import structlog

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import MissingLibraryError, NotFoundError, SettingsError
from servicepunkt.core.ids import new_id
from servicepunkt.core.jobs import Waits, job
from servicepunkt.core.keys import service as keys
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.metrics import ATTEMPTS
from servicepunkt.core.notices import limits, model, provider_store, settling, store, weights
from servicepunkt.core.notices.channels.phone import PhoneChannel
from servicepunkt.core.notices.channels.smtp import smtp_channel
from servicepunkt.core.notices.model import DeliveryError, Message, Notice, NoticeChannel, NoticeTemplate
from servicepunkt.core.notices.provider_store import Attempt, AttemptOutcome
from servicepunkt.core.notices.settings import NoticeSettings, expects_receipts
from servicepunkt.core.phone import mobile_number_or_none
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.notices")
# The first tries are quick, because most faults are; ten minutes are how long a person waits after a long one.
RETRY = Waits(5, 15, 30, 60, 120, 300, 600)
#: Sixteen hours of them: an outage that begins in the evening may be looked at in the morning.
MAX_ATTEMPTS = 100
INDEX = "notice.recipient"
#: What a sealed message is made of: a code, a number, by the names of their places.
SealedValues = dict[str, Annotated[str, msgspec.Meta(max_length=40)]]


async def create(
    tx: Transaction,
    keyring: keys.Keyring,
    *,
    at: datetime,
    case: UUID,
    kind: str,
    recipient: str,
    template: str,
    locale: str,
    params: dict[str, str],
    sealed: bytes | None = None,
    sealed_context: str = "",
    source: str = "",
    until: datetime | None = None,
) -> Notice:
    """Write a notice and queue its delivery in the same transaction. `params` hold no personal data.

    `source` is an opaque label of what caused it (a box), by which messages are limited; after `until` the message is
    of no use any more.
    """
    notice_id = new_id()
    notice = Notice(
        id=notice_id,
        case=case,
        channel=kind,
        template=template,
        locale=locale,
        params=params,
        recipient=await keyring.seal(tx, case, recipient.encode(), field=f"notice:{notice_id}"),
        recipient_index=await keyring.blind_index(tx, recipient, field=INDEX),
        source=source,
        until=until,
        sealed=sealed,
        sealed_context=sealed_context,
        created_at=at,
        updated_at=at,
    )
    await store.insert(tx, notice)
    await deliver.defer(tx, lock=f"notice/{notice_id}", notice_id=notice_id)
    return notice


async def supersede(tx: Transaction, case: UUID, *, at: datetime, **same: str) -> None:
    """Give up what was not sent yet for a case, because something newer takes its place. `same` names columns that are
    the same for all that is given up (template)."""
    for notice in await store.unsent_of_case(tx, case, **same):
        await _give_up(tx, notice, at=at)


async def _give_up(tx: Transaction, notice: Notice, *, at: datetime) -> None:
    state = model.move(notice.state, "permanent-failure")
    await store.update(tx, notice.id, at=at, state=state, reference=model.SUPERSEDED, sealed=None)


class Prepared(msgspec.Struct, frozen=True):
    """A notice in hand: who is asked in which order, and what is sent. Its `attempts` say which attempt this is."""

    notice: Notice
    channels: tuple[NoticeChannel, ...]
    message: Message

    def __repr__(self) -> str:
        return f"Prepared(notice={self.notice.id})"


class Trial(msgspec.Struct, frozen=True):
    """What a channel said to a message that it did not take."""

    channel: str
    error: DeliveryError


@job(plugin="core", name="core.notice.deliver", retry=RETRY)
async def deliver(deployment: Deployment, ctx: TenantContext, *, notice_id: str) -> None:
    """Send one notice by the first provider that takes it. A temporary failure of all raises, so that the queue tries
    again later."""
    try:
        prepared = await _prepare(deployment, ctx, UUID(notice_id))
    except SettingsError as error:
        if await _unprepared(deployment, ctx, UUID(notice_id), error):
            return
        raise
    if prepared is None:
        return
    notice, trials = prepared.notice, list[Trial]()
    for channel in prepared.channels:
        if trials and not await _turn_to(deployment, ctx, notice, channel.name):
            return
        try:
            reference = await channel.send(prepared.message)
        except (DeliveryError, SettingsError) as error:
            trials.append(_trial(notice, channel.name, error))
            continue
        except Exception:
            # A fault of the channel, and no crash: it is not asked first for that when the queue tries again.
            await _turn_to(deployment, ctx, notice, "")
            raise
        await _accepted(deployment, ctx, notice, channel.name, reference, trials)
        return
    await _failed(deployment, ctx, notice, trials)


def _trial(notice: Notice, channel: str, error: DeliveryError | SettingsError) -> Trial:
    """What was said, for the log; a secret or a library that is missing here is no word about the recipient."""
    log.warning("notice_failed", notice=str(notice.id), channel=channel, reason=error.staff_sentence)
    if not isinstance(error, DeliveryError):
        error = DeliveryError(error.staff_sentence, permanent=False)
    return Trial(channel, error)


async def _prepare(deployment: Deployment, ctx: TenantContext, notice_id: UUID) -> Prepared | None:
    """Mark the notice as being sent and open what is sealed; None when there is nothing to send any more."""
    channels = await _whom_to_ask(deployment, ctx, notice_id)
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id, lock=True)
        if notice is None or not notice.sendable or await _is_over(deployment, tx, notice):
            return None
        message = await _message_or_reason(deployment, tx, notice)
        if not isinstance(message, Message):
            await _refuse(deployment, tx, notice, message)
            return None
        if _is_diverted(tx.ctx, message.recipient):
            channels = (PhoneChannel(deployment.settings.phone_url, notice.channel),)
        if notice.state == "sending":
            # A worker died while this one was asked: it may have the message, and may know its reference again.
            channels = tuple(sorted(channels, key=lambda channel: channel.name != notice.provider))
        asked = await _attempted(deployment, tx, notice, provider=channels[0].name)
    return Prepared(asked, channels, message)


async def _unprepared(deployment: Deployment, ctx: TenantContext, notice_id: UUID, error: SettingsError) -> bool:
    """Count an attempt that came to no provider (a template, a channel that is not there); whether it was the last."""
    log.warning("notice_failed", notice=str(notice_id), reason=error.staff_sentence)
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id, lock=True)
        if notice is None or not notice.sendable or await _is_over(deployment, tx, notice):
            return True
        notice = await _attempted(deployment, tx, notice, provider="")
        to = _after_failing(notice)
        await settling.end(deployment, tx, notice, to=to, reference="")
    return to == "technical-failure"


async def _whom_to_ask(deployment: Deployment, ctx: TenantContext, notice_id: UUID) -> tuple[NoticeChannel, ...]:
    """The channels in their order. Not in the transaction that settles: a weight that moves holds the audit chain, and
    who listens waits for rows that others hold while they wait for that chain."""
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id)
        return await channels_for(deployment, tx, notice.channel) if notice is not None and notice.sendable else ()


async def _is_over(deployment: Deployment, tx: Transaction, notice: Notice) -> bool:
    """Whether a notice has had its time; it is given up then."""
    if await store.has_newer_code(tx, notice):
        await _give_up(tx, notice, at=deployment.clock.now())
        return True
    if notice.attempts >= MAX_ATTEMPTS:  # the last one took its worker with it
        await settling.end(deployment, tx, notice, to="technical-failure", reference="")
        return True
    if notice.until is not None and notice.until <= deployment.clock.now():
        await _refuse(deployment, tx, notice, model.EXPIRED)
        return True
    return False


async def _refuse(deployment: Deployment, tx: Transaction, notice: Notice, reason: str) -> None:
    log.warning("notice_not_sent", notice=str(notice.id), channel=notice.channel, reason=reason)
    await settling.end(deployment, tx, notice, to="permanent-failure", reference=reason)


async def _attempted(deployment: Deployment, tx: Transaction, notice: Notice, *, provider: str) -> Notice:
    """The notice in its next attempt. Who is asked is written down before he is: a crash forgets nothing else."""
    values = {"state": model.move(notice.state, "sending"), "attempts": notice.attempts + 1, "provider": provider}
    await store.update(tx, notice.id, at=deployment.clock.now(), **values)
    return msgspec.structs.replace(notice, **values)


async def _turn_to(deployment: Deployment, ctx: TenantContext, notice: Notice, provider: str) -> bool:
    """Write down who is asked next; False when another attempt goes on with the notice, or something newer took its
    place while a provider was asked in vain."""
    async with deployment.database.tenant(ctx) as tx:
        found = await store.find(tx, notice.id, lock=True)
        if found is None or not _is_same_attempt(found, notice):
            return False
        if await store.has_newer_code(tx, found):
            await _give_up(tx, found, at=deployment.clock.now())
            return False
        await store.update(tx, notice.id, at=deployment.clock.now(), provider=provider)
    return True


def _is_same_attempt(found: Notice, own: Notice) -> bool:
    """Whether the row is as this attempt left it: a job that was taken for dead runs on beside its successor."""
    return found.state == "sending" and found.attempts == own.attempts


async def _message_or_reason(deployment: Deployment, tx: Transaction, notice: Notice) -> Message | str:
    """What is sent, or why it may not be. Raises SettingsError."""
    try:
        message = await _message(deployment, tx, notice)
    except UnreadableError:
        # Its case was closed and the key erased before it went out; or what was sealed is not what it seems.
        return model.UNREADABLE
    return model.INCOMPLETE if message is None else await _refusal(tx, notice, message.recipient) or message


async def _refusal(tx: Transaction, notice: Notice, recipient: str) -> str | None:
    """Why a notice may not go out: one too many, not a mobile number, or not among those who rehearse."""
    settings = settings_of(tx.ctx)
    # What a provider was asked for once was within them then.
    if not notice.provider and await limits.over(tx, notice, settings.limits):
        return model.LIMIT
    if notice.channel == "sms" and mobile_number_or_none(recipient, settings.countries) != recipient:
        return model.NUMBER
    rehearsal = settings.rehearsal
    if rehearsal is not None and rehearsal.others == "settle" and recipient not in rehearsal.recipients:
        return model.REHEARSAL
    return None


def _is_diverted(ctx: TenantContext, recipient: str) -> bool:
    """Whether the rehearsal's telephone gets what another would have got."""
    rehearsal = settings_of(ctx).rehearsal
    return rehearsal is not None and rehearsal.others == "phone" and recipient not in rehearsal.recipients


async def _message(deployment: Deployment, tx: Transaction, notice: Notice) -> Message | None:
    """What is sent; None when the text has a place without a value. Raises UnreadableError, SettingsError."""
    recipient = await deployment.keyring.unseal(tx, notice.case, notice.recipient, field=f"notice:{notice.id}")
    values = await _values(deployment, tx, notice)
    template = template_for(deployment, tx.ctx, notice.template)
    text = template.texts.get(notice.locale) or template.texts.get(tx.ctx.locale)
    if text is None:
        raise SettingsError(f"the notice template {notice.template!r} has no text in {tx.ctx.locale}")
    try:
        filled, qr = text.format(**values), template.qr.format(**values)
    except (LookupError, ValueError):
        return None
    return Message(str(notice.id), recipient.decode(), filled, subject=tx.ctx.name, qr=qr, until=notice.until)


async def _values(deployment: Deployment, tx: Transaction, notice: Notice) -> dict[str, str]:
    """What fills the places of the text; what was sealed adds to what stands in the notice, and changes none of it."""
    if notice.sealed is None:
        return notice.params
    opened = await deployment.keyring.open_for_notice(tx, notice.sealed, context=notice.sealed_context)
    try:
        return msgspec.json.decode(opened, type=SealedValues) | notice.params
    except msgspec.DecodeError:
        raise UnreadableError from None


async def _accepted(
    deployment: Deployment, ctx: TenantContext, own: Notice, provider: str, reference: str, trials: list[Trial]
) -> None:
    async with deployment.database.tenant(ctx) as tx:
        # What one refuses for good and another takes was no fault of the message.
        for trial in trials:
            await _note_attempt(tx, own.id, trial.channel, "failed")
        await _note_attempt(tx, own.id, provider, "accepted", reference)
        notice = await store.find(tx, own.id, lock=True)
        if notice is None:
            raise NotFoundError
        if notice.sendable:
            await settling.end(deployment, tx, notice, to="sent", provider=provider, reference=reference)
        elif notice.sent_at is None:
            # It was given up while the provider took it: it stays so, and counts as sent.
            at = deployment.clock.now()
            await store.update(tx, notice.id, at=at, provider=provider, sent_at=at)


async def _failed(deployment: Deployment, ctx: TenantContext, own: Notice, trials: list[Trial]) -> None:
    passing = [trial for trial in trials if not trial.error.permanent]
    last = (passing or trials)[-1]
    to = "permanent-failure" if not passing else _after_failing(own)
    async with deployment.database.tenant(ctx) as tx:
        for trial in trials:
            await _note_attempt(tx, own.id, trial.channel, "refused" if trial.error.permanent else "failed")
        notice = await store.find(tx, own.id, lock=True)
        if notice is None:
            raise NotFoundError
        if not notice.sendable:
            return
        if same := _is_same_attempt(notice, own):
            await settling.end(deployment, tx, notice, to=to, provider=last.channel, reference="")
    if to == "temporary-failure" or not same:
        raise last.error


def _after_failing(notice: Notice) -> str:
    return "technical-failure" if notice.attempts >= MAX_ATTEMPTS else "temporary-failure"


async def _note_attempt(
    tx: Transaction, notice_id: UUID, provider: str, outcome: AttemptOutcome, reference: str = ""
) -> None:
    ATTEMPTS.labels(channel=provider, outcome=outcome).inc()
    answers = outcome == "accepted" and expects_receipts(settings_of(tx.ctx).find(provider))
    made = Attempt(
        id=new_id(),
        notice=notice_id,
        provider=provider,
        at=tx.now(),
        outcome=outcome,
        answers=answers,
        reference=reference,
    )
    await provider_store.add_attempt(tx, made)


def settings_of(ctx: TenantContext) -> NoticeSettings:
    """The tenant's section, checked when its file was read."""
    return ctx.section("notices", NoticeSettings)


async def channels_for(deployment: Deployment, tx: Transaction, kind: str) -> tuple[NoticeChannel, ...]:
    """The channels that the tenant has chosen for `kind`, in the order in which they are asked. Raises SettingsError
    when there is none of them."""
    names = await weights.ordered(tx, settings_of(tx.ctx), kind, deployment.randomness)
    found = [channel for name in names if (channel := channel_named(deployment, tx.ctx, name, kind)) is not None]
    if not found:
        raise SettingsError(f"there is no channel {' or '.join(map(repr, names))} for {kind}")
    return tuple(found)


def channel_named(deployment: Deployment, ctx: TenantContext, name: str, kind: str) -> NoticeChannel | None:
    """A provider of the tenant file, a channel of the house, or one of a plugin; None where it cannot be had."""
    provider = settings_of(ctx).find(name)
    if provider is not None:
        try:
            return deployment.providers.channel(deployment, ctx, provider)
        except MissingLibraryError as error:
            log.error("provider_left_out", channel=name, reason=error.staff_sentence)
            return None
    for channel in (*builtin_channels(deployment), *deployment.plugins.flat(ctx, "notice_channels")):
        if channel.name == name and channel.kind == kind:
            return channel  # type: ignore[no-any-return]  # plugins are checked by the conformance kit
    return None


def builtin_channels(deployment: Deployment) -> tuple[NoticeChannel, ...]:
    mail = (smtp_channel(deployment.settings.smtp_url),) if deployment.settings.smtp_url else ()
    phone_url = deployment.settings.phone_url
    return (PhoneChannel(phone_url, "sms"), PhoneChannel(phone_url, "email"), *mail)


def template_for(deployment: Deployment, ctx: TenantContext, name: str) -> NoticeTemplate:
    for template in deployment.plugins.flat(ctx, "notice_templates"):
        if template.name == name:
            return template  # type: ignore[no-any-return]
    raise SettingsError(f"there is no notice template {name!r}")
