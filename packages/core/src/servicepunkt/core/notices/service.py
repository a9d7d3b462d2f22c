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
from servicepunkt.core.jobs import job
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
MAX_ATTEMPTS = 12
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
    await deliver.defer(tx, lock=f"case/{case}", notice_id=notice_id)
    return notice


async def supersede(tx: Transaction, case: UUID, *, at: datetime) -> None:
    """Give up what was not sent yet for a case, because something newer takes its place."""
    for notice in await store.unsent_of_case(tx, case):
        state = model.move(notice.state, "permanent-failure")
        await store.update(tx, notice.id, at=at, state=state, reference=model.SUPERSEDED, sealed=None)


class Prepared(msgspec.Struct, frozen=True):
    """A notice in hand: who is asked in which order, and what is sent."""

    notice: Notice
    channels: tuple[NoticeChannel, ...]
    message: Message

    def __repr__(self) -> str:
        return f"Prepared(notice={self.notice.id})"


class Trial(msgspec.Struct, frozen=True):
    """What a channel said to a message that it did not take."""

    channel: str
    error: DeliveryError


@job(plugin="core", name="core.notice.deliver")
async def deliver(deployment: Deployment, ctx: TenantContext, *, notice_id: str) -> None:
    """Send one notice by the first provider that takes it. A temporary failure of all raises, so that the queue tries
    again later."""
    prepared = await _prepare(deployment, ctx, UUID(notice_id))
    if prepared is None:
        return
    trials: list[Trial] = []
    for channel in prepared.channels:
        if trials and not await _still_wanted(deployment, ctx, prepared.notice.id):
            return
        try:
            reference = await channel.send(prepared.message)
        except (DeliveryError, SettingsError) as error:
            trials.append(_trial(prepared.notice, channel.name, error))
            continue
        await _accepted(deployment, ctx, prepared.notice.id, channel.name, reference, trials)
        return
    await _failed(deployment, ctx, prepared.notice.id, trials)


def _trial(notice: Notice, channel: str, error: DeliveryError | SettingsError) -> Trial:
    """What was said, for the log; a secret or a library that is missing here is no word about the recipient."""
    log.warning("notice_failed", notice=str(notice.id), channel=channel, reason=error.staff_sentence)
    if not isinstance(error, DeliveryError):
        error = DeliveryError(error.staff_sentence, permanent=False)
    return Trial(channel, error)


async def _prepare(deployment: Deployment, ctx: TenantContext, notice_id: UUID) -> Prepared | None:
    """Mark the notice as being sent and open what is sealed; None when there is nothing to send any more."""
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id, lock=True)
        if notice is None or not notice.sendable:
            return None
        channels = await channels_for(deployment, tx, notice.channel)
        try:
            message = await _message(deployment, tx, notice)
        except UnreadableError:
            # Its case was closed and the key erased before it went out; or what was sealed is not what it seems.
            await settling.end(deployment, tx, notice, to="permanent-failure", reference=model.UNREADABLE)
            return None
        if (reason := await _refusal(tx, notice, message.recipient)) is not None:
            log.warning("notice_not_sent", notice=str(notice.id), channel=notice.channel, reason=reason)
            await settling.end(deployment, tx, notice, to="permanent-failure", reference=reason)
            return None
        if _is_diverted(tx.ctx, message.recipient):
            channels = (PhoneChannel(deployment.settings.phone_url, notice.channel),)
        state = model.move(notice.state, "sending")
        await store.update(tx, notice.id, at=deployment.clock.now(), state=state, attempts=notice.attempts + 1)
    return Prepared(notice, channels, message)


async def _refusal(tx: Transaction, notice: Notice, recipient: str) -> str | None:
    """Why a notice may not go out: one too many, not a mobile number, or not among those who rehearse."""
    settings = settings_of(tx.ctx)
    if notice.attempts == 0 and await limits.over(tx, notice, settings.limits):
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


async def _message(deployment: Deployment, tx: Transaction, notice: Notice) -> Message:
    recipient = await deployment.keyring.unseal(tx, notice.case, notice.recipient, field=f"notice:{notice.id}")
    values = await _values(deployment, tx, notice)
    template = template_for(deployment, tx.ctx, notice.template)
    text = template.texts.get(notice.locale) or template.texts[tx.ctx.locale]
    try:
        filled, qr = text.format(**values), template.qr.format(**values)
    except LookupError:
        raise UnreadableError from None
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


async def _still_wanted(deployment: Deployment, ctx: TenantContext, notice_id: UUID) -> bool:
    """Whether nothing newer has taken the notice's place while a provider was asked in vain."""
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id)
    return notice is not None and notice.sendable


async def _accepted(
    deployment: Deployment, ctx: TenantContext, notice_id: UUID, provider: str, reference: str, trials: list[Trial]
) -> None:
    async with deployment.database.tenant(ctx) as tx:
        # What one refuses for good and another takes was no fault of the message.
        for trial in trials:
            await _note_attempt(tx, notice_id, trial.channel, "failed")
        await _note_attempt(tx, notice_id, provider, "accepted", reference)
        await _settle(deployment, tx, notice_id, to="sent", provider=provider, reference=reference)


async def _failed(deployment: Deployment, ctx: TenantContext, notice_id: UUID, trials: list[Trial]) -> None:
    passing = [trial for trial in trials if not trial.error.permanent]
    async with deployment.database.tenant(ctx) as tx:
        for trial in trials:
            await _note_attempt(tx, notice_id, trial.channel, "refused" if trial.error.permanent else "failed")
        notice = await store.find(tx, notice_id, lock=True)
        worn_out = notice is not None and notice.attempts >= MAX_ATTEMPTS
        to = "permanent-failure" if not passing else "technical-failure" if worn_out else "temporary-failure"
        await _settle(deployment, tx, notice_id, to=to, provider=(passing or trials)[-1].channel)
    if to == "temporary-failure":
        raise passing[-1].error


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


async def _settle(
    deployment: Deployment, tx: Transaction, notice_id: UUID, *, to: str, provider: str, reference: str = ""
) -> None:
    notice = await store.find(tx, notice_id, lock=True)
    if notice is None:
        raise NotFoundError
    if notice.state == "permanent-failure" and notice.reference == model.SUPERSEDED:
        return
    await settling.end(deployment, tx, notice, to=to, provider=provider, reference=reference)


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
