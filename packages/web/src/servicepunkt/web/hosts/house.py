"""Which house somebody looks at: only what a person may see, and nothing else is said to exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response

from servicepunkt.core.catalogue.model import Catalogue, Host, Point
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.hosts.hours.model import points_of
from servicepunkt.core.hours.model import Calendar
from servicepunkt.web import access
from servicepunkt.web.hosts.words import TABS
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import catalogue_of

HREF = "/staff/host"
READ, EDIT = "host.read", "host.edit"
READING = [access.permission(READ, per_unit=True)]
EDITING = [access.permission(EDIT, per_unit=True)]
KEY = "Load the page again, and send the form once more."


class House(msgspec.Struct, frozen=True, kw_only=True):
    """A house with its points, as somebody may see it."""

    host: Host
    points: Sequence[Point]
    catalogue: Catalogue
    may_edit: bool

    @property
    def href(self) -> str:
        return f"{HREF}/{self.host.id}"


async def house_of(request: Request[Any, Any, Any], visitor: Visitor, host_id: str, permission: str = READ) -> House:
    """Raises NotFoundError, for a house that is not there as for one in which this person may not do this."""
    catalogue = await catalogue_of(request)
    host = catalogue.host(host_id)
    if host is None or not visitor.may(permission, host_id):
        raise NotFoundError
    points = points_of(catalogue, host_id)
    return House(host=host, points=points, catalogue=catalogue, may_edit=visitor.may(EDIT, host_id))


def houses_of(visitor: Visitor, catalogue: Catalogue) -> list[Host]:
    """The houses that somebody may see."""
    return [host for host in catalogue.hosts if visitor.may(READ, host.id)]


def points_for(visitor: Visitor, catalogue: Catalogue, permission: str) -> list[Point]:
    """The points at which somebody may do something."""
    return [point for point in catalogue.points if visitor.may(permission, point.id)]


def calendar_of(request: Request[Any, Any, Any]) -> Calendar:
    ctx = access.tenant_of(request)
    return Calendar(ctx.zone, ctx.subdivision)


def key_in(text: str) -> UUID:
    """The key of a form. Raises InvalidInputError."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInputError([("", KEY)]) from None


async def host_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    house: House,
    template: str,
    *,
    status: int = 200,
    mistakes: Iterable[tuple[str, str]] = (),
    **values: Any,
) -> Response[str]:
    """A page about a house, with its tabs."""
    tabs = [(title, house.href + path) for path, title in TABS.items()]
    found = list(mistakes)
    status = 422 if found else status
    return await staff_page(request, visitor, template, status=status, house=house, tabs=tabs, mistakes=found, **values)
