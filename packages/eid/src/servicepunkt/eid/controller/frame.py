"""What the reader's own pages share beside those of any computer at a point: desk, link, and whose visit it is."""

from __future__ import annotations

from typing import Any

from litestar import Response
from litestar.response import Redirect

from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.controller.desk import Desk
from servicepunkt.eid.controller.link import Link
from servicepunkt.eid.controller.model import Screen
from servicepunkt.eid.controller.visit import Visit
from servicepunkt.web.local import origin
from servicepunkt.web.local.frame import IDLE_CONTENT, IDLE_FORM, IDLE_RESULT, LocalFrame, LocalPages, WebRequest
from servicepunkt.web.terminal import switches

COOKIE = "sp_reader_visit"
_IDLE = {Screen.DONE: IDLE_RESULT, Screen.CHECKED: IDLE_CONTENT, Screen.FAILED: IDLE_CONTENT}


class ReaderPages(LocalPages):
    """What the handlers share."""

    cookie = COOKIE
    csrf_cookie = "sp_reader_csrf"
    help = "eid/reader_help.html"

    def __init__(self, desk: Desk, link: Link, frame: LocalFrame, *, secure: bool) -> None:
        super().__init__(frame, secure=secure)
        self.desk = desk
        self.link = link

    @property
    def tenant(self) -> TenantContext:
        """Before the first configuration one without a name: the switches work all the same."""
        return super().tenant or TenantContext(id=0, slug="", name="")

    async def leave(self, request: WebRequest) -> None:
        """The visit ends as soon as the AusweisApp has; nobody waits for that."""
        self.desk.leave(name_of(request))

    def visit(self, request: WebRequest) -> Visit:
        """Raises VisitOverError."""
        return self.desk.of(name_of(request))

    def begun(self, visit: Visit) -> Redirect:
        """On to the visit, whose name only this browser knows."""
        answer = Redirect("/visit", status_code=303)
        answer.set_cookie(key=COOKIE, value=visit.name, httponly=True, samesite="lax", secure=self.secure, path="/")
        return answer

    def centre_address(self, request: WebRequest, visit: Visit) -> str:
        """Where the person goes on at the centre; empty where it is not known."""
        config = self.link.config
        if config is None or not visit.back:
            return ""
        return origin.terminal_address(config.centre_url, visit.back, **switches.choices(request))

    def shown(self, request: WebRequest, template: str, visit: Visit, **values: Any) -> Response[str]:
        idle = _IDLE.get(visit.screen, IDLE_FORM)
        return self.page(request, template, idle=idle, visit=visit, screen=str(visit.screen), **values)


def name_of(request: WebRequest) -> str:
    return request.cookies.get(COOKIE, "")
