"""A partner is asked with a limit of time; whatever goes wrong there is its own, and nobody else fails for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog

from servicepunkt.core.catalogue.model import Offer
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.orders.model import (
    HOOKS,
    Choice,
    Chosen,
    Order,
    OrderRefusedError,
    PartnerUnavailableError,
    Quote,
    Sale,
)
from servicepunkt.core.plugins.shapes import AnswerError, Shape
from servicepunkt.core.tenancy.model import TenantContext

log = structlog.get_logger("servicepunkt.orders")
PARTNER_SECONDS = 3.0


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells, begins or books a service for a tenant. `hook` says which, `plugin` who brought the `offering`.

    Each method raises PartnerUnavailableError; what went wrong is logged and counted as of the plugin's hook.
    """

    deployment: Deployment
    ctx: TenantContext
    plugin: str
    hook: str
    offering: Sale
    seconds: float = PARTNER_SECONDS

    @property
    def is_booking(self) -> bool:
        """Whether each choice has an instant."""
        return self.hook == HOOKS["book"]

    async def choices(self) -> Sequence[Choice]:
        """What may be chosen now."""
        at = self.deployment.clock.now()
        found: Sequence[Choice] = await self._asked(lambda: self.offering.choices(at), self._read_choices)
        return found

    async def quote(self, chosen: Sequence[Chosen]) -> Quote:
        """What it costs. Raises OrderRefusedError, too."""
        at = self.deployment.clock.now()
        said: Quote = await self._asked(lambda: self.offering.quote(chosen, at), Shape(None, Quote).read)
        return said

    async def place(self, order: Order) -> None:
        """Raises OrderRefusedError, too. A partner that did not answer may have heard of the order all the same."""
        await self._asked(lambda: self.offering.place(order), _anything)

    async def cancel(self, order: Order) -> None:
        await self._asked(lambda: self.offering.cancel(order), _anything)

    def _read_choices(self, answer: Any) -> Sequence[Choice]:
        found: Sequence[Choice] = Shape(Sequence, Choice).read(answer)
        if len({one.item for one in found}) < len(found):
            raise AnswerError("two choices have one name")
        if self.is_booking and any(one.at is None for one in found):
            raise AnswerError("a booking without an instant")
        return found

    async def _asked(self, ask: Callable[[], Awaitable[Any]], read: Callable[[Any], Any]) -> Any:
        try:
            async with asyncio.timeout(self.seconds):
                return read(await ask())
        except OrderRefusedError:
            raise
        except (Exception, SystemExit) as error:
            log.error("partner_failed", plugin=self.plugin, hook=self.hook, exc_info=error)
            self.deployment.plugins.failures.note(
                self.ctx.id, self.plugin, self.hook, "failed", error=type(error).__name__
            )
            # Not chained: what a partner's error says may quote somebody.
            raise PartnerUnavailableError from None


def partner_of(deployment: Deployment, ctx: TenantContext, offer: Offer) -> Partner | None:
    """Who sells, begins or books what an offer says; None where no plugin of the tenant does."""
    hooks = dict.fromkeys(HOOKS[capability] for capability in offer.can if capability in HOOKS)
    return _find(deployment, ctx, hooks, lambda _, one: (one.service, one.provider) == (offer.service, offer.provider))


def partner_of_order(deployment: Deployment, ctx: TenantContext, order: Order) -> Partner | None:
    """With whom an order was placed; None where the plugin is no longer on, or offers this no more."""
    whose = (order.plugin, order.service, order.provider)
    hooks = dict.fromkeys(HOOKS.values())
    return _find(deployment, ctx, hooks, lambda plugin, one: (plugin, one.service, one.provider) == whose)


def _find(
    deployment: Deployment,
    ctx: TenantContext,
    hooks: Sequence[str] | dict[str, None],
    fits: Callable[[str, Sale], bool],
) -> Partner | None:
    for hook in hooks:
        for answer in deployment.plugins.collect(ctx, hook):
            for one in answer.value:
                if fits(answer.plugin, one):
                    return Partner(deployment=deployment, ctx=ctx, plugin=answer.plugin, hook=hook, offering=one)
    return None


def _anything(answer: Any) -> Any:
    return answer
