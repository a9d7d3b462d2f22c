"""The boxes: whether they answer, how full they are, what is wrong with them, and what happened at them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ForbiddenError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import care, service, store
from servicepunkt.dokbox.health import DISPUTED, TROUBLE_WORDS
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.dokbox.staff.seen import deposit_seen, is_away
from servicepunkt.dokbox.staff.words import EVENT_WORDS, KEYS_IN_FILES
from servicepunkt.dokbox.store import BoxRow
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import spoken_moment

# What the log of a box shows; the incidents among it are marked.
INCIDENTS = frozenset(
    {
        "distrusted",
        "item_gone",
        "compartment_out",
        "forced",
        "left_open",
        "not_opened",
        "unlock_lost",
        "bus_lost",
        "board_silent",
        "board_untrusted",
    }
)
KEYS = ("pepper_wanted", "pepper_new", "pepper_erased", "pepper_refused")
LOGGED = (*sorted(INCIDENTS), "compartment_in", "inventory_begun", "bus_found", "board_back", "started", *KEYS)
LOG_LENGTH = 20
SENTENCES = {"compartment": "Choose a compartment."}


class CompartmentForm(msgspec.Struct, frozen=True, kw_only=True):
    compartment: int


class ClosingForm(msgspec.Struct, frozen=True, kw_only=True):
    closing: Literal["yes", "no"]


class EventSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log; `words` is a message id."""

    at: datetime
    words: str
    compartment: int | None
    incident: bool


class BoxSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A box as staff read it. No person appears here.

    `faults` and `warning` are message ids, `out` compartments out of service. `ended`: its journal is not believed.
    """

    id: str
    name: str
    state: Literal["online", "away", "unknown"]
    when: str
    compartments: int
    used: int
    free: int
    waiting: int
    faults: list[str]
    warning: str
    out: list[int]
    needing_staff: int
    closing: bool
    ended: bool
    log: list[EventSeen]


async def box_seen(tx: Transaction, row: BoxRow, *, locale: str) -> BoxSeen:
    ctx, now = tx.ctx, tx.now()
    wanted = settings_of(ctx).box(row.id)
    compartments = wanted.compartments if wanted else 0
    used = {found.compartment for found in await store.inside(tx, row.id)}
    out = await store.out_of_service(tx, row.id)
    waiting = await store.waiting_commands(tx, row.id)
    log = await store.newest_events(tx, row.id, LOGGED, limit=LOG_LENGTH)
    faults = [EVENT_WORDS[event] for event in await store.lasting_faults(tx, row.id)]
    faults += [TROUBLE_WORDS[trouble] for trouble in row.troubles if trouble in TROUBLE_WORDS]
    return BoxSeen(
        id=row.id,
        name=pick(wanted.name, locale) if wanted else row.id,
        state="unknown" if row.seen_at is None else "away" if is_away(row, waiting, now) else "online",
        when=spoken_moment(row.seen_at, now, locale, ctx),
        compartments=compartments,
        used=len(used),
        free=max(0, compartments - len(used | set(out))),
        waiting=len(waiting),
        faults=[DISPUTED, *faults] if row.disputed else faults,
        warning=KEYS_IN_FILES if row.vault == "file" else "",
        out=out,
        closing=row.closing,
        ended=bool(row.disputed) or "distrusted" in row.troubles,
        needing_staff=await store.count_needing_staff(tx, box_id=row.id),
        log=[
            EventSeen(
                at=event.at.astimezone(ctx.zone_info),
                words=EVENT_WORDS[event.event],
                compartment=event.compartment,
                incident=event.event in INCIDENTS,
            )
            for event in log
        ],
    )


def point_of(ctx: TenantContext, box_id: str) -> str | None:
    """Where a box stands; None for one that the tenant file names no more."""
    box = settings_of(ctx).box(box_id)
    return box.point if box else None


def may_see(visitor: Visitor, ctx: TenantContext, box_id: str) -> bool:
    return visitor.may("deposits.read") or visitor.may("boxes.read", point_of(ctx, box_id))


@get("/staff/boxes", guards=[access.permission("staff.enter")])
async def show_boxes(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """Every box (of one's own points) with its state, compartments, what is to be looked after, and its log."""
    if not visitor.somewhere & {"boxes.read", "deposits.read"}:
        raise ForbiddenError
    async with deployment.database.tenant(ctx) as tx:
        rows = [row for row in await store.boxes(tx) if may_see(visitor, ctx, row.id)]
        shown = [await box_seen(tx, row, locale=language(request)) for row in rows]
    return await staff_page(
        request, visitor, "dokbox/boxes.html", boxes=shown, may_return=visitor.may("deposits.recall"), most=LOG_LENGTH
    )


@get("/staff/boxes/{box_id:str}/contents", guards=[access.permission("deposits.read")])
async def show_contents(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    box_id: FromPath[str],
) -> Response[str]:
    """What lies in a box by compartment, each with the way to take it back."""
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_box(tx, box_id)
        if row is None:
            raise NotFoundError
        rows = await store.inside(tx, box_id)
    locale = language(request)
    wanted = settings_of(ctx).box(box_id)
    return await staff_page(
        request,
        visitor,
        "dokbox/box_contents.html",
        box=row,
        name=pick(wanted.name, locale) if wanted else box_id,
        rows=[(deposit_seen(ctx, found, locale), "recall" in service.allowed_requests(found)) for found in rows],
    )


@post("/staff/boxes/{box_id:str}/inventory", guards=[access.permission("deposits.recall")], status_code=303)
async def begin_inventory(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    box_id: FromPath[str],
) -> Redirect:
    """Doors were opened with a key: nothing is handed out before somebody has looked."""
    await care.begin_inventory(deployment, ctx, actor=visitor.actor, box_id=box_id)
    return see_other(request, f"/staff/boxes/{box_id}/contents")


@post("/staff/boxes/{box_id:str}/closing", guards=[access.permission("deposits.recall")], status_code=303)
async def set_closing(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    box_id: FromPath[str],
) -> Redirect:
    """Empty a box before it is moved, or let it take documents in again."""
    form = convert(await typed(request), ClosingForm, {"closing": "Choose Yes or No."})
    closing = form.closing == "yes"
    await care.set_closing(deployment, ctx, actor=visitor.actor, box_id=box_id, closing=closing)
    return see_other(request, f"/staff/boxes/{box_id}/contents" if closing else "/staff/boxes")


@post("/staff/boxes/{box_id:str}/return", guards=[access.permission("deposits.recall")], status_code=303)
async def return_compartment(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    box_id: FromPath[str],
) -> Redirect:
    """Put a compartment back into service after somebody has looked into it."""
    form = convert(await typed(request), CompartmentForm, SENTENCES)
    await service.return_to_service(deployment, ctx, actor=visitor.actor, box_id=box_id, compartment=form.compartment)
    return see_other(request, "/staff/boxes")


HANDLERS = (show_boxes, show_contents, begin_inventory, set_closing, return_compartment)
