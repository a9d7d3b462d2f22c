"""What the box's own pages share beside those of any computer at a point: the controller, and the person in front."""

from __future__ import annotations

from typing import Protocol

import msgspec
from litestar import Response

from servicepunkt.core.clock import Clock
from servicepunkt.core.hours import model as hours_model
from servicepunkt.core.hours.reasons import why
from servicepunkt.core.hours.words import describe
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox.controller.screens import COOKIE, Screens
from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.controller.visits import Visit
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.web.local.frame import IDLE_CONTENT, IDLE_FORM, LocalFrame, LocalPages, WebRequest


class Connected(Protocol):
    connected: bool


class BoxPages(LocalPages):
    """What the handlers share."""

    cookie = COOKIE
    csrf_cookie = "sp_box_csrf"
    help = "dokbox/box_help.html"

    def __init__(self, controller: Controller, frame: LocalFrame, clock: Clock, *, secure: bool) -> None:
        super().__init__(frame, secure=secure)
        self.controller = controller
        self.clock = clock
        self.screens = Screens()

    @property
    def tenant(self) -> TenantContext | None:
        config = self.controller.config
        if config is None:
            return None
        return TenantContext(
            id=config.tenant, slug="", name=config.tenant_name, languages=config.languages, zone=config.zone
        )

    @property
    def policies(self) -> tuple[DocumentPolicy, ...]:
        config = self.controller.config
        return config.policies if config else ()

    @property
    def finds_by(self) -> str:
        """By what the deposits of this box are found: phone, pickup_number, or either."""
        found = {policy.locator for policy in self.policies} or {"phone"}
        return "either" if len(found) > 1 else min(found)

    def code_page(self, request: WebRequest, *, refused: bool) -> Response[str]:
        """Where the code is typed. It asks alike whatever the number, so that nothing is learnt of it."""
        digits = sorted({policy.typed_digits for policy in self.policies} or {6})
        status = 422 if refused else 200
        return self.page(request, "dokbox/box_code.html", idle=IDLE_FORM, status=status, refused=refused, digits=digits)

    def way_out(self, visit: Visit) -> str:
        """Where who cannot identify goes on: the counter, or staff_check."""
        deposit = self.controller.ledger.deposit(visit.deposit)
        return deposit.without_identity if deposit else "counter"

    def declined(self, request: WebRequest, step: str, kind: str = "") -> Response[str]:
        """The document, of this kind where it is known, stays here; what the person can do about it."""
        self.screens.forget(request)
        policy = next((policy for policy in self.policies if policy.type == kind), None)
        return self.page(request, "dokbox/box_declined.html", idle=IDLE_CONTENT, step=step, policy=policy)

    async def leave(self, request: WebRequest) -> None:
        """Before the door has opened the code stays valid."""
        screen = self.screens.forget(request)
        if screen is not None and screen.visit:
            await self.controller.leave(screen.visit)

    def hours_line(self, locale: str) -> tuple[bool, str]:
        """(open, sentence); closed without a sentence while nothing is known."""
        config = self.controller.config
        if config is None:
            return False, ""
        calendar = hours_model.Calendar(config.zone, config.subdivision)
        rule: hours_model.Hours = msgspec.json.decode(config.hours, type=hours_model.Hours)
        now = self.clock.now()
        state = hours_model.state(rule, calendar, now)
        because = why(rule, calendar, now)
        return state.open, describe(state, calendar, now, texts=self.frame.texts, locale=locale, because=because)
