"""Create, deliver and settle notices. Nothing is sent inside a transaction, nothing is sent that is not a row."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec
import structlog

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import NotFoundError, SettingsError
from servicepunkt.core.ids import new_id
from servicepunkt.core.jobs import job
from servicepunkt.core.keys import service as keys
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.metrics import NOTICES
from servicepunkt.core.notices import model, store
from servicepunkt.core.notices.model import DeliveryError, Message, Notice, NoticeChannel, NoticeTemplate
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.notices")
MAX_ATTEMPTS = 12
#: What a sealed message is made of: a code, a number, by the names of their places.
SealedValues = dict[str, Annotated[str, msgspec.Meta(max_length=40)]]


class NoticeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section [notices] of a tenant file: which channel carries which kind of message."""

    sms: str = "phone"
    email: str = "smtp"


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
) -> Notice:
    """Write a notice and queue its delivery in the same transaction. `params` hold no personal data."""
    notice_id = new_id()
    notice = Notice(
        id=notice_id,
        case=case,
        channel=kind,
        template=template,
        locale=locale,
        params=params,
        recipient=await keyring.seal(tx, case, recipient.encode(), field=f"notice:{notice_id}"),
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
        await store.update(tx, notice.id, at=at, state=state, reference="superseded", sealed=None)


@job(plugin="core", name="core.notice.deliver")
async def deliver(deployment: Deployment, ctx: TenantContext, *, notice_id: str) -> None:
    """Send one notice. A temporary failure raises, so that the queue tries again later."""
    prepared = await _prepare(deployment, ctx, UUID(notice_id))
    if prepared is None:
        return
    notice, channel, message = prepared
    try:
        reference = await channel.send(message)
    except DeliveryError as error:
        await _failed(deployment, ctx, notice.id, error, channel.name)
        return
    await _settle(deployment, ctx, notice.id, to="sent", provider=channel.name, reference=reference)


async def _prepare(
    deployment: Deployment, ctx: TenantContext, notice_id: UUID
) -> tuple[Notice, NoticeChannel, Message] | None:
    """Mark the notice as being sent and open what is sealed; None when there is nothing to send any more."""
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id, lock=True)
        if notice is None or notice.state not in model.UNSENT:
            return None
        channel = channel_for(deployment, ctx, notice.channel)
        try:
            message = await _message(deployment, tx, notice)
        except UnreadableError:
            # Its case was closed and the key erased before it went out; or what was sealed is not what it seems.
            await _end(deployment, tx, notice, to="permanent-failure", reference="unreadable")
            return None
        state = model.move(notice.state, "sending")
        await store.update(tx, notice.id, at=deployment.clock.now(), state=state, attempts=notice.attempts + 1)
    return notice, channel, message


async def _message(deployment: Deployment, tx: Transaction, notice: Notice) -> Message:
    recipient = await deployment.keyring.unseal(tx, notice.case, notice.recipient, field=f"notice:{notice.id}")
    values = await _values(deployment, tx, notice)
    template = template_for(deployment, tx.ctx, notice.template)
    text = template.texts.get(notice.locale) or template.texts[tx.ctx.locale]
    try:
        filled, qr = text.format(**values), template.qr.format(**values)
    except LookupError:
        raise UnreadableError from None
    return Message(str(notice.id), recipient.decode(), filled, subject=tx.ctx.name, qr=qr)


async def _values(deployment: Deployment, tx: Transaction, notice: Notice) -> dict[str, str]:
    """What fills the places of the text; what was sealed adds to what stands in the notice, and changes none of it."""
    if notice.sealed is None:
        return notice.params
    opened = await deployment.keyring.open_for_notice(tx, notice.sealed, context=notice.sealed_context)
    try:
        return msgspec.json.decode(opened, type=SealedValues) | notice.params
    except msgspec.DecodeError:
        raise UnreadableError from None


async def _failed(
    deployment: Deployment, ctx: TenantContext, notice_id: UUID, error: DeliveryError, provider: str
) -> None:
    log.warning("notice_failed", notice=str(notice_id), channel=provider, reason=error.staff_sentence)
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id, lock=True)
        attempts = notice.attempts if notice else 0
    if error.permanent:
        await _settle(deployment, ctx, notice_id, to="permanent-failure", provider=provider)
    elif attempts >= MAX_ATTEMPTS:
        await _settle(deployment, ctx, notice_id, to="technical-failure", provider=provider)
    else:
        await _settle(deployment, ctx, notice_id, to="temporary-failure", provider=provider)
        raise error


async def _settle(
    deployment: Deployment,
    ctx: TenantContext,
    notice_id: UUID,
    *,
    to: str,
    provider: str,
    reference: str = "",
) -> None:
    async with deployment.database.tenant(ctx) as tx:
        notice = await store.find(tx, notice_id, lock=True)
        if notice is None:
            raise NotFoundError
        if notice.state == "permanent-failure" and notice.reference == "superseded":
            return
        await _end(deployment, tx, notice, to=to, provider=provider, reference=reference)


async def _end(
    deployment: Deployment, tx: Transaction, notice: Notice, *, to: str, provider: str = "", reference: str
) -> None:
    """Write down how an attempt ended, and tell who waits for it when it was the last one."""
    state = model.move(notice.state, to)
    # What was sealed has served its purpose once a provider has it, or nobody will.
    keep = notice.sealed if state == "temporary-failure" else None
    at = deployment.clock.now()
    await store.update(tx, notice.id, at=at, state=state, provider=provider, reference=reference, sealed=keep)
    NOTICES.labels(channel=notice.channel, state=state).inc()
    if state != "temporary-failure":
        settled = msgspec.structs.replace(notice, state=state)
        for listener in deployment.plugins.flat(tx.ctx, "notice_listeners"):
            await listener.settled(tx, settled, accepted=state == "sent")


def channel_for(deployment: Deployment, ctx: TenantContext, kind: str) -> NoticeChannel:
    """The channel that the tenant has chosen for `kind`. Raises SettingsError."""
    wanted = getattr(ctx.section("notices", NoticeSettings), kind)
    for channel in (*builtin_channels(deployment), *deployment.plugins.flat(ctx, "notice_channels")):
        if channel.name == wanted and channel.kind == kind:
            return channel  # type: ignore[no-any-return]  # plugins are checked by the conformance kit
    raise SettingsError(f"there is no channel {wanted!r} for {kind}")


def builtin_channels(deployment: Deployment) -> tuple[NoticeChannel, ...]:
    from servicepunkt.core.notices.channels import PhoneChannel, SmtpChannel

    mail = (SmtpChannel(deployment.settings.smtp_url),) if deployment.settings.smtp_url else ()
    phone_url = deployment.settings.phone_url
    return (PhoneChannel(phone_url, "sms"), PhoneChannel(phone_url, "email"), *mail)


def template_for(deployment: Deployment, ctx: TenantContext, name: str) -> NoticeTemplate:
    for template in deployment.plugins.flat(ctx, "notice_templates"):
        if template.name == name:
            return template  # type: ignore[no-any-return]
    raise SettingsError(f"there is no notice template {name!r}")
