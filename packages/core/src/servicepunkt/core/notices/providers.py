"""The providers of tenants as live channels: made when they are needed, kept while their settings stay the same.

What keeps a line open (a bind, a modem) is opened by the worker also when nothing is to be sent: receipts come over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.loops import repeating
from servicepunkt.core.notices import receipts
from servicepunkt.core.notices.channels.profiles import PROFILES
from servicepunkt.core.notices.channels.rest import RestChannel
from servicepunkt.core.notices.channels.smtp import SmtpChannel
from servicepunkt.core.notices.model import NoticeChannel, Receipt
from servicepunkt.core.notices.settings import (
    GsmProvider,
    NoticeSettings,
    Provider,
    RestProvider,
    SmppProvider,
    SmtpProvider,
)
from servicepunkt.core.secrets import read_secret, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.notices")
LOOK_EVERY_SECONDS = 15.0


class ReceiptNotStoredError(ServicepunktError):
    """A receipt cannot be stored now."""

    code = "SP0045"
    status = 503
    staff = "A delivery receipt could not be stored; the provider is asked to send it again."


@runtime_checkable
class OpenLine(Protocol):
    """A channel that keeps a line open. `open` does nothing while it is; both raise ServicepunktErrors alone."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...


class Providers:
    """The channels of this process, by tenant and name."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, str], tuple[Provider, NoticeChannel]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def channel(self, deployment: Deployment, ctx: TenantContext, provider: Provider) -> NoticeChannel:
        """The channel of a provider; a new one when its settings have changed."""
        key = (ctx.id, provider.name)
        kept = self._made.get(key)
        if kept is not None and kept[0] == provider:
            return kept[1]
        if kept is not None:
            self._leave(kept[1])
        made = make(deployment, ctx, provider)
        self._made[key] = (provider, made)
        return made

    async def open_lines(self, deployment: Deployment) -> None:
        """Open every line of every tenant that is not open, and leave those that no tenant file names any more."""
        wanted = {
            (ctx.id, provider.name): (ctx, provider)
            for ctx in await deployment.directory.all()
            for provider in ctx.section("notices", NoticeSettings).provider
        }
        for key in set(self._made) - set(wanted):
            self._leave(self._made.pop(key)[1])
        lines = [pair for pair in wanted.values() if isinstance(pair[1], (SmppProvider, GsmProvider))]
        await asyncio.gather(*(self._open(deployment, ctx, provider) for ctx, provider in lines))

    async def _open(self, deployment: Deployment, ctx: TenantContext, provider: Provider) -> None:
        try:
            channel = self.channel(deployment, ctx, provider)
            if isinstance(channel, OpenLine):
                await channel.open()
        except ServicepunktError as error:
            log.warning("provider_line_down", channel=provider.name, reason=error.staff_sentence)
        except Exception:
            # A fault of ours in one line; those of the other tenants stay open.
            log.exception("provider_line_fault", channel=provider.name)

    def _leave(self, channel: NoticeChannel) -> None:
        if isinstance(channel, OpenLine):
            task = asyncio.ensure_future(channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every line in order."""
        for _, channel in self._made.values():
            self._leave(channel)
        self._made.clear()
        await asyncio.gather(*self._closing)


@asynccontextmanager
async def lines_open(deployment: Deployment, *, look_every: float = LOOK_EVERY_SECONDS) -> AsyncIterator[None]:
    """Keep the lines of all tenants open for the length of the block."""

    async def look() -> None:
        try:
            await deployment.providers.open_lines(deployment)
        except SQLAlchemyError as error:
            # The database is away for a moment; the lines that are open stay so.
            log.warning("provider_lines_not_looked_at", exc_info=error)
        except Exception:
            # Nobody waits for this: without a word here its end would be seen by nobody.
            log.exception("provider_lines_not_looked_at")

    async with repeating(look, pause=look_every):
        yield


def make(deployment: Deployment, ctx: TenantContext, provider: Provider) -> NoticeChannel:
    """A channel from its settings. Raises MissingLibraryError where its protocol is optional and not installed."""
    match provider:
        case RestProvider():
            return _rest(deployment, ctx, provider)
        case SmtpProvider():
            return SmtpChannel(
                name=provider.name,
                host=provider.host,
                port=provider.port,
                sender=provider.sender,
                encryption=provider.encryption,
                user=provider.user or None,
                read_password=_secret(deployment, ctx, provider.password),
            )
        case SmppProvider():
            from servicepunkt.core.notices.channels.smpp.channel import SmppChannel

            return SmppChannel(
                provider,
                read_password=_needed(deployment, ctx, provider.password),
                on_receipt=_taker(deployment, ctx, provider.name),
                now=deployment.clock.now,
            )
        case GsmProvider():
            from servicepunkt.core.notices.channels.gsm.channel import GsmChannel

            return GsmChannel(
                provider,
                read_pin=_secret(deployment, ctx, provider.pin),
                on_receipt=_taker(deployment, ctx, provider.name),
                now=deployment.clock.now,
            )


def _rest(deployment: Deployment, ctx: TenantContext, provider: RestProvider) -> RestChannel:
    profile = PROFILES[provider.profile]
    return RestChannel(
        name=provider.name,
        url=provider.url or profile.url,
        shape=provider.shape or profile.shape,
        sender=provider.sender,
        longest=timedelta(hours=provider.longest_hours),
        now=deployment.clock.now,
        user=provider.user,
        read_key=_secret(deployment, ctx, provider.key),
    )


def _needed(deployment: Deployment, ctx: TenantContext, reference: str) -> Callable[[], str]:
    """Reads the secret anew each time, so that a changed one needs no restart. It raises SecretError."""

    def read() -> str:
        own = tenant_secret(reference, slug=ctx.slug, home=deployment.settings.home)
        return read_secret(own).decode("utf-8", "replace")

    return read


def _secret(deployment: Deployment, ctx: TenantContext, reference: str) -> Callable[[], str] | None:
    return _needed(deployment, ctx, reference) if reference else None


def _taker(deployment: Deployment, ctx: TenantContext, provider: str) -> Callable[[Receipt], Awaitable[None]]:
    async def take(receipt: Receipt) -> None:
        try:
            await receipts.take(deployment, ctx, provider, receipt)
        except SQLAlchemyError as error:
            # What is not acknowledged comes again, when the database is back.
            raise ReceiptNotStoredError from error

    return take
