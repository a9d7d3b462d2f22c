"""What the box's own pages share: their frame, the person in front of the screen, and the way back to a terminal."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from litestar import Request, Response
from litestar.response import Redirect

from servicepunkt.core.clock import Clock
from servicepunkt.core.hours import model as hours_model
from servicepunkt.core.hours.reasons import why
from servicepunkt.core.hours.words import describe
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.texts import Texts
from servicepunkt.dokbox.controller import origin
from servicepunkt.dokbox.controller.screens import Screens
from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.controller.visits import Visit
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.web.frame import Frame

# Seconds without a touch before the screen asks, and how long it then waits.
IDLE_CONTENT, IDLE_FORM, IDLE_RESULT, WARN = 60, 120, 20, 30
WebRequest = Request[Any, Any, Any]


class Connected(Protocol):
    connected: bool


class BoxFrame(Frame):
    """The frame of a box: every page is a terminal's, also one that says what went wrong."""

    def __init__(self, plugins: PluginHost, controller: Controller, link: Connected) -> None:
        templates, static = (
            {answer.plugin: answer.value for answer in plugins.startup(hook)} for hook in ("templates", "static_files")
        )
        super().__init__(templates, static, Texts([answer.value for answer in plugins.startup("texts")]))
        self._controller = controller
        self._link = link

    def context(self, request: WebRequest) -> dict[str, Any]:
        config = self._controller.config
        return {
            **super().context(request),
            "terminal": True,
            "bar": bar(IDLE_CONTENT),
            "point_name": config.point_name if config else {},
            "config": config,
            "online": self._link.connected,
            "from_terminal": origin.from_terminal(request),
        }


def bar(idle: int) -> dict[str, str | int]:
    """The variable `bar` of `web/terminal.html`; where its controls lead is decided when they are pressed."""
    return {"start": "/start", "help": "/help", "end": "/end", "idle": idle, "warn": WARN}


class BoxPages:
    """What the handlers below share."""

    def __init__(self, controller: Controller, frame: Frame, clock: Clock, link: Connected, *, secure: bool) -> None:
        self.controller = controller
        self.frame = frame
        self.clock = clock
        self.link = link
        self.secure = secure
        self.screens = Screens()

    def page(self, request: WebRequest, template: str, *, idle: int, status: int = 200, **values: Any) -> Response[str]:
        return self.frame.page(request, template, status=status, bar=bar(idle), **values)

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

    def declined(self, request: WebRequest, step: str, visit: Visit) -> Response[str]:
        """The document stays here; what the person can do about it."""
        self.screens.forget(request)
        policy = next((policy for policy in self.policies if policy.type == visit.kind), None)
        return self.page(request, "dokbox/box_declined.html", idle=IDLE_CONTENT, step=step, policy=policy)

    def to_terminal(self, request: WebRequest, path: str, shown_as: dict[str, str]) -> Redirect | None:
        """The way to a page of the terminal that sent the visit here; None if none did, or the centre is not there."""
        if not (origin.from_terminal(request) and self.link.connected):
            return None
        address = origin.terminal_address(self.controller.config, path, **shown_as)
        return Redirect(address, status_code=303) if address else None

    async def leave(self, request: WebRequest) -> None:
        """Forget what was typed and end the visit; before the door has opened the code stays valid."""
        screen = self.screens.forget(request)
        if screen is not None and screen.visit:
            await self.controller.leave(screen.visit)

    def form_targets(self) -> tuple[str, ...]:
        """Where forms may lead on to besides the box: to the centre, once it is known."""
        found = origin.centre_origin(self.controller.config)
        return (found,) if found else ()

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
