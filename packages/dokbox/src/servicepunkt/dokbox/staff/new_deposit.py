"""The form of a new deposit, and the same form again with a line about the last one: one after the other by scanner.

A scanner ends what it reads with Enter. In the browser that goes on to the telephone number; where there is no script
it sends the form, and the answer is the form with the focus there.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import service
from servicepunkt.dokbox.settings import DokboxSettings, settings_of
from servicepunkt.dokbox.staff.seen import DepositInFull, deposit_in_full
from servicepunkt.web import access
from servicepunkt.web.forms import PersonalForm, convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

GUARDS = [access.permission("deposits.create")]


class DepositForm(PersonalForm, frozen=True, kw_only=True):
    """Whether the values fit is said by `service.announce`, all at once."""

    kind: str = ""
    document_number: str = ""
    phone: str = ""
    email: str = ""
    birth_date: str = ""
    old_document: str = ""
    family_name: str = ""
    low: str = ""
    box: str = ""
    locale: str = ""


async def form_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    values: dict[str, str],
    *,
    mistakes: list[tuple[str, str]] | None = None,
    last: DepositInFull | None = None,
    status: int = 200,
) -> Response[str]:
    """The form; the field that is to be filled next has the focus, unless there are mistakes to read."""
    ctx, locale = access.tenant_of(request), language(request)
    settings = settings_of(ctx)
    kinds = [(policy.type, pick(policy.name, locale)) for policy in settings.documents]
    boxes = [(box.id, pick(box.name, locale)) for box in settings.boxes]
    wants = wanted_fields(settings, locale)
    contacts = [name for name in wants if name in ("phone", "email")] or ["document_number"]
    first = {"kind": kinds[0][0] if kinds else "", "box": boxes[0][0] if boxes else "", "locale": ctx.locale}
    shown = {name: values.get(name) or first.get(name, "") for name in DepositForm.__struct_fields__}
    return await staff_page(
        request,
        visitor,
        "dokbox/deposit_new.html",
        status=status,
        values=shown,
        mistakes=mistakes or [],
        focus="" if mistakes else contacts[0] if shown["document_number"] else "document_number",
        wants=wants,
        contacts=contacts,
        has_low=any(box.low_rows for box in settings.boxes),
        kinds=kinds,
        boxes=boxes,
        last=last,
    )


def wanted_fields(settings: DokboxSettings, locale: str) -> dict[str, list[str]]:
    """The fields that any kind of this tenant needs, with the names of the kinds; no names where all need it."""
    needs = {
        "phone": [policy for policy in settings.documents if policy.needs_phone],
        "email": [policy for policy in settings.documents if policy.channel == "email"],
        "family_name": [policy for policy in settings.documents if policy.needs_name],
        "birth_date": [policy for policy in settings.documents if policy.needs_birth_date],
        "old_document": [policy for policy in settings.documents if "old_document_chip" in policy.steps],
    }
    return {
        name: [pick(policy.name, locale) for policy in found] if len(found) < len(settings.documents) else []
        for name, found in needs.items()
        if found
    }


@get("/staff/deposits/new", guards=GUARDS)
async def ask_new(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """An empty form."""
    return await form_page(request, visitor, {})


@get("/staff/deposits/new/{deposit_id:uuid}", guards=GUARDS)
async def ask_next(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
    seen: FromQuery[str] = "",
) -> Response[str]:
    """The form for the next one of the same kind, and what became of the last. Such a poll gets 204 as well."""
    last = await deposit_in_full(deployment, ctx, visitor, deposit_id, locale=language(request))
    if seen == last.digest:
        return Response("", status_code=204)
    again = {"kind": last.deposit.kind_id, "box": last.deposit.box_id}
    return await form_page(request, visitor, again, last=last)


@post("/staff/deposits/new", guards=GUARDS, status_code=303)
async def take_new(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Announce a deposit; with mistakes the form comes back with what was typed and every reason."""
    values = await typed(request)
    try:
        form = convert(values, DepositForm, {})
        if form.document_number.strip() and not (form.phone.strip() or form.email.strip()):
            return await form_page(request, visitor, values)
        wanted = service.Announcement(
            **{**msgspec.structs.asdict(form), "low": bool(form.low), "locale": form.locale or ctx.locale}
        )
        row = await service.announce(deployment, ctx, actor=visitor.actor, wanted=wanted)
    except InvalidInputError as error:
        return await form_page(request, visitor, values, mistakes=error.mistakes, status=422)
    return see_other(request, f"/staff/deposits/new/{row.id}")


HANDLERS = (ask_new, ask_next, take_new)
