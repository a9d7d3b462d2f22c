"""What a computer's own pages share: their frame, and the way back to the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from litestar import Request, Response
from litestar.response import Redirect

from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import Texts
from servicepunkt.web.frame import Frame
from servicepunkt.web.local import origin

# Seconds without a touch before the screen asks, and how long it then waits.
IDLE_CONTENT, IDLE_FORM, IDLE_RESULT, WARN = 60, 120, 20, 30
WebRequest = Request[Any, Any, Any]


class LocalConfig(Protocol):
    """What the centre tells a computer at a point, whatever it is."""

    @property
    def tenant_name(self) -> str: ...
    @property
    def point_name(self) -> dict[str, str]: ...
    @property
    def languages(self) -> tuple[str, ...]: ...
    @property
    def centre_url(self) -> str: ...
    @property
    def help_phone(self) -> str: ...


class LocalFrame(Frame):
    """The frame: every page is a terminal's, also one that says what went wrong.

    `config`: the last configuration, None before the first. `connected`: whether the centre answers.
    """

    def __init__(
        self, plugins: PluginHost, *, config: Callable[[], LocalConfig | None], connected: Callable[[], bool]
    ) -> None:
        templates, static = (
            {answer.plugin: answer.value for answer in plugins.startup(hook)} for hook in ("templates", "static_files")
        )
        super().__init__(templates, static, Texts([answer.value for answer in plugins.startup("texts")]))
        self.config = config
        self.connected = connected

    def context(self, request: WebRequest) -> dict[str, Any]:
        config = self.config()
        return {
            **super().context(request),
            "terminal": True,
            "bar": bar(IDLE_CONTENT),
            "point_name": config.point_name if config else {},
            "config": config,
            "online": self.connected(),
            "from_terminal": origin.from_terminal(request),
        }


def bar(idle: int) -> dict[str, str | int]:
    """The variable `bar` of `web/terminal.html`; where its controls lead is decided when they are pressed."""
    return {"start": "/start", "help": "/help", "end": "/end", "idle": idle, "warn": WARN}


class LocalPages:
    """What the handlers share; an area's pages derive from it. `cookie`: the visit's; `help`: the page of that name."""

    cookie: ClassVar[str]
    csrf_cookie: ClassVar[str]
    help: ClassVar[str]

    def __init__(self, frame: LocalFrame, *, secure: bool) -> None:
        self.frame = frame
        self.secure = secure

    async def leave(self, request: WebRequest) -> None:
        """Forget what was typed and end the visit."""
        raise NotImplementedError

    @property
    def tenant(self) -> TenantContext | None:
        """As far as the last configuration tells it."""
        config = self.frame.config()
        if config is None:
            return None
        return TenantContext(id=0, slug="", name=config.tenant_name, languages=config.languages)

    def page(self, request: WebRequest, template: str, *, idle: int, status: int = 200, **values: Any) -> Response[str]:
        return self.frame.page(request, template, status=status, bar=bar(idle), **values)

    def to_terminal(self, request: WebRequest, path: str, shown_as: dict[str, str]) -> Redirect | None:
        """The way to a page of the terminal that sent the visit here; None if none did, or the centre is not there."""
        config = self.frame.config()
        if config is None or not (origin.from_terminal(request) and self.frame.connected()):
            return None
        address = origin.terminal_address(config.centre_url, path, **shown_as)
        return Redirect(address, status_code=303) if address else None

    def form_targets(self) -> tuple[str, ...]:
        """Where forms may lead on to besides these pages: to the centre, once it is known."""
        config = self.frame.config()
        found = origin.centre_origin(config.centre_url) if config else ""
        return (found,) if found else ()
