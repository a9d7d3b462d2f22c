"""Staff pages of deposits and boxes: announce, load, look after, take back. Made for keyboard and scanner."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, QueryParameter
from litestar.response import Redirect

from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ForbiddenError, InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import service, store
from servicepunkt.dokbox.model import NEEDS_STAFF, State
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.dokbox.wire import CommandKind
from servicepunkt.web import access
from servicepunkt.web.devices import store as devices
from servicepunkt.web.devices.model import Device
from servicepunkt.web.frame import Frame, language
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.tenancy import PREFIX_KEY
from servicepunkt.web.terminal.switches import with_choices

WebRequest = Request[Any, Any, Any]
Ctx = NamedDependency[TenantContext]
House = NamedDependency[Deployment]
SignedIn = NamedDependency[Visitor]
Recognised = NamedDependency[Device]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]

# What the list may show; each name is also the heading.
FILTERS: dict[str, tuple[str, ...]] = {
    "open": ("announced", State.RESERVED, State.LOADING),
    "waiting": (State.STORED, State.NOTIFIED, State.PRESENTED, State.RELEASING, State.TAKING),
    "attention": (*NEEDS_STAFF, State.RECALLING, "refused"),
    "finished": (State.DONE, State.RETURNED, State.CANCELLED),
}
FILTER_TITLES = {"open": "To be loaded", "waiting": "In the box", "attention": "Needs you", "finished": "Finished"}

STATE_WORDS = {
    "announced": "announced",
    "refused": "refused by the box",
    "reserved": "compartment reserved",
    "loading": "door open for loading",
    "stored": "in the box, code on its way",
    "notified": "ready for collection",
    "presented": "citizen at the box",
    "releasing": "door is opening",
    "taking": "door open for the citizen",
    "done": "collected",
    "locked_out": "locked after wrong codes",
    "expired": "not collected in time",
    "recalling": "door open for taking back",
    "returned": "taken back",
    "blocked": "blocked: please check",
    "missing": "compartment was found empty",
    "cancelled": "cancelled",
}
ALERT_WORDS = {
    "closed_empty": "The door was closed, but the sensor sees nothing. Is the document in? Then confirm it.",
    "not_opened": "The door did not open. Please check the lock.",
    "left_open": "The door has been open for more than a minute.",
    "forced": "The door was opened without a command.",
    "notice_failed": "The message could not be sent. Please check the mobile number.",
    "not_taken": "The door was closed with the document inside, or the sensor cannot tell.",
    "declined_pin_letter": "The citizen has not received the PIN letter. Please hand over at the counter.",
    "declined_old_document": "The citizen did not have the old document.",
    "full": "No compartment is free.",
    "item_gone": "The document is no longer where the sensor saw it, and no open door was seen. Please check.",
    "compartment_not_empty": "Something lies in this compartment already. Please check it, then reserve another one.",
    "too_late": "The box did not hear of it in time; nothing was opened. Please try again.",
    "too_many_for_this_number": "There are already three documents for this number in the box.",
    "door_was_not_open": "The door was not open before; please open it and lay the document in.",
}
EVENT_WORDS = {
    "reserve": "Compartment reserved",
    "cancel": "Cancelled",
    "open_for_load": "Told to open for loading",
    "confirm_loaded": "Staff confirmed that the document is in",
    "door_opened": "Door opened",
    "closed_full": "Door closed, document inside",
    "closed_empty": "Door closed, compartment empty",
    "not_opened": "Door did not open",
    "left_open": "Door left open",
    "forced": "Door opened without a command",
    "notice_accepted": "Message handed to the provider",
    "notice_failed": "Message could not be sent",
    "new_code": "New code made",
    "attempt": "A code was typed",
    "attempt_void": "The typed code belonged to another document",
    "code_wrong": "The code was wrong",
    "lock": "Locked after too many wrong codes",
    "code_right": "The code was right",
    "withdraw": "Visit ended before the door opened",
    "redeem": "Code used up, told to open",
    "expire": "Time for collection is over",
    "recall": "Told to open for taking back",
    "found_empty": "Compartment was found empty",
    "command_declined": "The box declined a request",
    "unlock_lost": "The line was lost while opening",
    "compartment_out": "Compartment out of service",
    "compartment_in": "Compartment back in service",
    "item_gone": "Document gone without an open door",
    "distrusted": "The box's journal was set back or copied: nothing is handed out",
    "bus_lost": "Line to the locks lost",
    "bus_found": "Line to the locks found again",
    "started": "Box started",
}
ACTION_WORDS: dict[str, str] = {
    "open_for_load": "Open compartment",
    "confirm_loaded": "The document is in",
    "new_code": "Send a new code",
    "recall": "Take the document back",
    "cancel": "Cancel",
}
ACTION_PERMISSIONS: dict[str, str] = {
    "open_for_load": "deposits.load",
    "confirm_loaded": "deposits.load",
    "new_code": "deposits.unlock",
    "recall": "deposits.recall",
    "cancel": "deposits.create",
}


class NewDeposit(msgspec.Struct, forbid_unknown_fields=True):
    """The form of a new deposit."""

    document_number: str = ""
    phone: str = ""
    kind: str = ""
    box: str = ""
    locale: str = "de"
    _csrf_token: str = ""


@get("/staff/deposits", guards=[access.permission("deposits.read")])
async def list_deposits(
    request: WebRequest,
    ctx: Ctx,
    deployment: House,
    visitor: SignedIn,
    show: Annotated[str, QueryParameter(max_length=20)] = "open",
) -> Response[str]:
    """Deposits by what is to be done with them."""
    show = show if show in FILTERS else "open"
    async with deployment.database.tenant(ctx) as tx:
        rows = await store.deposits(tx, states=[str(state) for state in FILTERS[show]])
    return await staff_page(
        request,
        visitor,
        "dokbox/deposits.html",
        rows=[_shown(request, ctx, row) for row in rows],
        show=show,
        filters=FILTER_TITLES,
        searched=False,
    )


@post("/staff/deposits/find", guards=[access.permission("deposits.read")], status_code=200)
async def find_deposit(
    request: WebRequest, ctx: Ctx, deployment: House, visitor: SignedIn, data: Form
) -> Response[Any]:
    """Find by the document's number: posted, because a number has no place in an address."""
    found = await service.find_by_document(deployment, ctx, data.get("document_number", "")[:30])
    if len(found) == 1:
        return _to(request, f"/staff/deposits/{found[0].id}")
    rows = [_shown(request, ctx, row) for row in found]
    return await staff_page(
        request, visitor, "dokbox/deposits.html", rows=rows, show="", filters=FILTER_TITLES, searched=True
    )


@get("/staff/deposits/new", guards=[access.permission("deposits.create")])
async def ask_new(request: WebRequest, ctx: Ctx, visitor: SignedIn) -> Response[str]:
    return await _new_page(request, ctx, visitor, NewDeposit(locale=ctx.locale), [])


@post("/staff/deposits/new", guards=[access.permission("deposits.create")], status_code=303)
async def take_new(request: WebRequest, ctx: Ctx, deployment: House, visitor: SignedIn, data: Form) -> Response[Any]:
    """Announce a deposit; with mistakes the form comes back with what was typed and every reason."""
    try:
        form = msgspec.convert(data, NewDeposit)
    except msgspec.ValidationError as error:
        raise InvalidInputError([("form", str(error))]) from None
    try:
        row = await service.announce(
            deployment,
            ctx,
            actor=visitor.actor,
            box_id=form.box,
            kind=form.kind,
            document_number=form.document_number,
            phone=form.phone,
            locale=form.locale,
        )
    except InvalidInputError as error:
        return await _new_page(request, ctx, visitor, form, error.mistakes, status=422)
    return _to(request, f"/staff/deposits/{row.id}")


async def _new_page(
    request: WebRequest,
    ctx: TenantContext,
    visitor: Visitor,
    form: NewDeposit,
    mistakes: list[tuple[str, str]],
    *,
    status: int = 200,
) -> Response[str]:
    settings, locale = settings_of(ctx), language(request)
    return await staff_page(
        request,
        visitor,
        "dokbox/deposit_new.html",
        status=status,
        form=form,
        mistakes=mistakes,
        kinds=[(policy.type, pick(policy.name, locale)) for policy in settings.documents],
        boxes=[(box.id, pick(box.name, locale)) for box in settings.boxes],
    )


@get("/staff/deposits/{deposit_id:uuid}", guards=[access.permission("deposits.read")])
async def show_deposit(
    request: WebRequest, ctx: Ctx, deployment: House, visitor: SignedIn, deposit_id: FromPath[UUID]
) -> Response[str]:
    """One deposit: where it stands, what can be done, and its history. Asks itself again while it moves."""
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_deposit(tx, deposit_id)
        events = await store.events_of(tx, str(deposit_id))
    if row is None:
        raise NotFoundError
    actions = [
        (kind, ACTION_WORDS[kind])
        for kind in service.allowed_requests(row)
        if visitor.may(ACTION_PERMISSIONS[kind]) and (kind != "confirm_loaded" or row.alert == "closed_empty")
    ]
    return await staff_page(
        request,
        visitor,
        "dokbox/deposit.html",
        deposit=_shown(request, ctx, row),
        actions=actions,
        events=[(event.at.astimezone(ctx.zone_info), EVENT_WORDS.get(event.event, event.event)) for event in events],
        moving=row.state not in store.FINAL,
    )


@post("/staff/deposits/{deposit_id:uuid}/{action:str}", guards=[access.permission("deposits.read")], status_code=303)
async def act(
    request: WebRequest,
    ctx: Ctx,
    deployment: House,
    visitor: SignedIn,
    deposit_id: FromPath[UUID],
    action: FromPath[str],
) -> Redirect:
    """Ask the box for one of the actions."""
    if action not in ACTION_PERMISSIONS:
        raise NotFoundError
    if not visitor.may(ACTION_PERMISSIONS[action]):
        raise ForbiddenError
    kind = msgspec.convert(action, CommandKind)
    await service.request(deployment, ctx, actor=visitor.actor, deposit_id=deposit_id, kind=kind)
    return _to(request, f"/staff/deposits/{deposit_id}")


@get("/staff/boxes", guards=[access.permission("staff.enter")])
async def show_boxes(request: WebRequest, ctx: Ctx, deployment: House, visitor: SignedIn) -> Response[str]:
    """Fill level and incidents of each box; no person appears here."""
    if not visitor.permissions & {"boxes.read", "deposits.read"}:
        raise ForbiddenError
    settings = settings_of(ctx)
    shown = []
    async with deployment.database.tenant(ctx) as tx:
        for row in await store.boxes(tx):
            wanted = settings.box(row.id)
            counts = await store.count_by_state(tx, row.id)
            used = sum(count for state, count in counts.items() if state not in store.FINAL | {"announced"})
            incidents = await store.newest_events(tx, row.id, INCIDENTS, limit=20)
            service_events = await store.newest_events(tx, row.id, ("compartment_out", "compartment_in"), limit=2000)
            shown.append(
                {
                    "id": row.id,
                    "name": pick(wanted.name, language(request)) if wanted else row.id,
                    "compartments": wanted.compartments if wanted else 0,
                    "used": used,
                    "seen_at": row.seen_at.astimezone(ctx.zone_info) if row.seen_at else None,
                    "out": sorted(out_of_service(service_events)),
                    "incidents": [
                        (e.at.astimezone(ctx.zone_info), EVENT_WORDS.get(e.event, e.event), e.compartment)
                        for e in incidents
                    ],
                }
            )
    return await staff_page(
        request, visitor, "dokbox/boxes.html", boxes=shown, may_return=visitor.may("deposits.recall")
    )


INCIDENTS = (
    "distrusted",
    "item_gone",
    "compartment_out",
    "compartment_in",
    "forced",
    "left_open",
    "not_opened",
    "bus_lost",
    "bus_found",
    "started",
)


def out_of_service(newest_first: list[store.EventRow]) -> set[int]:
    """Compartments whose last incident took them out of service."""
    out: set[int] = set()
    for event in reversed(newest_first):
        if event.event == "compartment_out" and event.compartment is not None:
            out.add(event.compartment)
        elif event.event == "compartment_in" and event.compartment is not None:
            out.discard(event.compartment)
    return out


@post("/staff/boxes/{box_id:str}/return", guards=[access.permission("deposits.recall")], status_code=303)
async def return_compartment(
    request: WebRequest, ctx: Ctx, deployment: House, visitor: SignedIn, box_id: FromPath[str], data: Form
) -> Redirect:
    """Put a compartment back into service after somebody has looked into it."""
    try:
        compartment = int(data.get("compartment", ""))
    except ValueError:
        raise InvalidInputError([("compartment", "Choose a compartment.")]) from None
    await service.return_to_service(deployment, ctx, actor=visitor.actor, box_id=box_id, compartment=compartment)
    return _to(request, "/staff/boxes")


@get("/k/box/{box_id:str}", guards=[access.terminal])
async def to_the_box(
    request: WebRequest, ctx: Ctx, deployment: House, box_id: FromPath[str], device: Recognised
) -> Response[Any]:
    """From the terminal to the box's own pages, as far as the box has said where they are."""
    async with deployment.database.tenant(ctx) as tx:
        found = await devices.active(tx, "box", box_id)
    wanted = settings_of(ctx).box(box_id)
    if wanted is None:
        raise NotFoundError
    address = (found.info.get("url", "") if found else "") or wanted.local_url
    if wanted.point == device.target and address.startswith(("http://", "https://")):
        return Redirect(with_choices(request, address), status_code=303)
    frame: Frame = request.app.state["frame"]
    return frame.page(request, "dokbox/box_elsewhere.html", box=wanted)


def _shown(request: WebRequest, ctx: TenantContext, row: store.DepositRow) -> dict[str, Any]:
    """A deposit as staff see it: no number, no name; the reference is what people say aloud."""
    settings, locale = settings_of(ctx), language(request)
    policy, box = settings.document(row.kind), settings.box(row.box)
    return {
        "id": row.id,
        "reference": row.reference,
        "kind": pick(policy.name, locale) if policy else row.kind,
        "box": pick(box.name, locale) if box else row.box,
        "state": row.state,
        "state_words": STATE_WORDS.get(row.state, row.state),
        "compartment": row.compartment,
        "alert": ALERT_WORDS.get(row.alert, row.alert),
        "attempts": row.attempts,
        "created_at": row.created_at.astimezone(ctx.zone_info),
        "updated_at": row.updated_at.astimezone(ctx.zone_info),
    }


def _to(request: WebRequest, path: str) -> Redirect:
    return Redirect(f"{request.scope.get(PREFIX_KEY, '')}{path}", status_code=303)


HANDLERS = (
    list_deposits,
    find_deposit,
    ask_new,
    take_new,
    show_deposit,
    act,
    show_boxes,
    return_compartment,
    to_the_box,
)
