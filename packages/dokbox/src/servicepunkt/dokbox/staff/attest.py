"""Who waits at a box for somebody to look: face and document fit, or not. For the staff of the point."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import care, store
from servicepunkt.dokbox.staff.boxes import point_of
from servicepunkt.dokbox.staff.seen import deposit_seen
from servicepunkt.dokbox.staff.words import WAITS_FOR_YOU, WAITS_FOR_YOU_HREF
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

PERMISSION = "deposits.attest"
GUARDS = [access.permission(PERMISSION, per_unit=True)]


class AttestForm(msgspec.Struct, frozen=True, kw_only=True):
    """`call` is the entry by which the person called of whom the page spoke."""

    answer: Literal["yes", "no"]
    call: int


class PeopleWait:
    """People at the boxes who wait for somebody to look at face and document."""

    title = WAITS_FOR_YOU
    href = WAITS_FOR_YOU_HREF

    async def count(self, tx: Transaction) -> int:
        return len(await store.waiting_for_staff(tx))


@get("/staff/attest", guards=GUARDS)
async def show_waiting(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """The boxes at which somebody waits; who it is stands on his own document."""
    async with deployment.database.tenant(ctx) as tx:
        waiting = await store.waiting_for_staff(tx)
        rows = [row for row in waiting if visitor.may(PERMISSION, point_of(ctx, row.box))]
        calls = [await care.call_of(tx, row.id) for row in rows]
    shown = [(deposit_seen(ctx, row, language(request)), call) for row, call in zip(rows, calls, strict=True)]
    return await staff_page(request, visitor, "dokbox/attest.html", rows=shown)


@post("/staff/attest/{deposit_id:uuid}", guards=GUARDS, status_code=303)
async def attest(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
) -> Redirect:
    """Say whether face and document fit; the box goes on, or ends the visit."""
    form = convert(await typed(request), AttestForm, {"answer": "Choose Yes or No."})
    answer = form.answer == "yes"
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_deposit(tx, deposit_id)
    if row is None or not visitor.may(PERMISSION, point_of(ctx, row.box)):
        raise NotFoundError
    await care.attest(deployment, ctx, actor=visitor.actor, deposit_id=deposit_id, call=form.call, answer=answer)
    return see_other(request, "/staff/attest")


HANDLERS = (show_waiting, attest)
