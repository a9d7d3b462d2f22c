"""The kernel's rule about what is sold and booked: it says what may be chosen, and what that costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from servicepunkt.core.conformance.bench import Bench
from servicepunkt.core.conformance.model import Rule, Trouble
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.orders import model
from servicepunkt.core.orders.asking import PARTNER_SECONDS, Partner


async def offerings(bench: Bench) -> list[Trouble]:
    """Each is asked for its choices, and for the price of one piece of each. Nothing is ordered."""
    found: list[Trouble] = []
    hooks = tuple(dict.fromkeys(model.HOOKS.values()))
    if not bench.implements(*hooks):
        return found
    async with bench.deployment() as (deployment, on, _):
        for hook in hooks:
            for answer in deployment.plugins.collect(on, hook):
                for one in answer.value if answer.plugin == bench.candidate.name else ():
                    partner = Partner(deployment=deployment, ctx=on, plugin=answer.plugin, hook=hook, offering=one)
                    found += [trouble async for trouble in _troubles(partner)]
    return found


async def _troubles(partner: Partner) -> AsyncIterator[Trouble]:
    place = f"{partner.hook} of {partner.offering.service}"
    try:
        choices = await partner.choices()
    except ServicepunktError:
        yield Trouble(place, f"choices: {_why(partner)}")
        return
    for choice in choices:
        if choice.limit != 0:
            try:
                await partner.quote(model.choose((choice,), {choice.item: 1}))
            except ServicepunktError:
                yield Trouble(place, f"quote of {choice.item}: {_why(partner)}")


def _why(partner: Partner) -> Any:
    failures = partner.deployment.plugins.failures.lately(partner.ctx.id)
    return next((one.error for one in failures if one.plugin == partner.plugin), "refused")


RULES = (
    Rule(
        name="offerings",
        wants=f"what is sold or booked says within {PARTNER_SECONDS:.0f} seconds what may be chosen, and what it costs",
        remedy="See `Choice`, `Quote` and `Booking` in `servicepunkt.core.orders.model`; a date has to be `at`.",
        check=offerings,
    ),
)
