"""An operator whom a city has let in: who that is, which pages are open, and that each change is written down."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

from servicepunkt.core.declarations import StaffEntry
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.operators.consents import service as consents
from servicepunkt.core.operators.consents.model import Acting
from servicepunkt.core.people.model import Account
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.gate import shows_console
from servicepunkt.web.sessions.model import Session, Visitor

#: Beside the cookie of people who signed in, because a browser may hold both below one address.
COOKIE = "sp_operator"
HREF, CONSENTS = "/staff/operator", "/staff/consents"
CATALOGUE = "/staff/catalogue"
END = "/staff/acting/end"
SAFE = ("GET", "HEAD", "OPTIONS")
#: The pages that a consent opens, one by one: a page that is not here stays closed, so that a new one is at first.
#: None shows what citizens left or asked for, none is about accounts, second factors, keys or consents.
LENT = frozenset(
    {
        "/staff",
        END,
        "/staff/answers",
        "/staff/answers/{service_id}",
        CATALOGUE,
        f"{CATALOGUE}/translations",
        f"{CATALOGUE}/links",
        f"{CATALOGUE}/services/{{service_id}}",
        f"{CATALOGUE}/services/{{service_id}}/edit",
        f"{CATALOGUE}/revisions",
        f"{CATALOGUE}/revisions/compare",
        f"{CATALOGUE}/revisions/{{revision}}/restore",
        f"{CATALOGUE}/sources",
        f"{CATALOGUE}/sources/runs/{{run}}",
        f"{CATALOGUE}/changes",
        f"{CATALOGUE}/changes/{{edit_id}}",
        f"{CATALOGUE}/questions",
        f"{CATALOGUE}/questions/{{edit_id}}",
        f"{CATALOGUE}/publish",
    }
)


def is_lent(template: str) -> bool:
    """Whether a consent opens the route of this path template, which names no types: `{service_id}`."""
    return template in LENT


async def visitor(deployment: Deployment, ctx: TenantContext, cookie: str) -> Visitor | None:
    """The operator to whom the cookie belongs, with the role that was lent; None when that is over."""
    if not cookie or not deployment.settings.operator_tenant:
        return None
    acting = await consents.acting(deployment, ctx, cookie)
    if acting is None:
        return None
    session = acting.session
    account = Account(
        id=session.operator,
        login="",
        name=acting.name,
        password_hash="",
        roles=(acting.consent.role,),
        created_at=session.started_at,
    )
    lent = Session(key=session.key, account=session.operator, started_at=session.started_at, seen_at=session.seen_at)
    return Visitor(account=account, session=lent, acting=acting)


async def note(connection: ASGIConnection[Any, Any, Any, Any], ctx: TenantContext, acting: Acting) -> None:
    """Write down in both chains what an operator is about to change; the route's template holds no id."""
    method, template = str(connection.scope.get("method", "")), str(connection.scope.get("path_template", ""))
    if method not in SAFE and template != END:
        await consents.changed(connection.app.state["deployment"], ctx, acting, what=f"{method} {template}")


async def leave(deployment: Deployment, ctx: TenantContext, cookie: str) -> bool:
    """End the operator's session of this cookie, if there is one."""
    acting = await consents.acting(deployment, ctx, cookie) if deployment.settings.operator_tenant else None
    if acting is not None:
        await consents.end(deployment, ctx, acting)
    return acting is not None


def entries(ctx: TenantContext, who: Visitor, operator_tenant: str) -> list[StaffEntry]:
    """What the navigation of staff has beside the entries of plugins."""
    found = []
    if who.may("tenants.manage") and shows_console(ctx, "home", operator_tenant):
        found.append(StaffEntry("Platform", HREF, order=90))
    if who.may("consents.manage") and shows_console(ctx, "any", operator_tenant):
        found.append(StaffEntry("Consents", CONSENTS, order=95))
    return found
