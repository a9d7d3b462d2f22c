"""The page frame: templates of all packages in one Jinja environment, and what every page is given.

Templates are addressed as `<plugin>/<file>`. A page knows the words (`_`), addresses below the tenant's prefix
(`url`), static files (`static`), the nonce, the language, and who is looking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jinja2
from babel import Locale, UnknownLocaleError
from litestar import Request, Response
from litestar.utils.scope.state import ScopeState
from markupsafe import Markup

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.model import Text, pick, stand_in
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import Texts
from servicepunkt.web.branding import branding_of
from servicepunkt.web.gate import SHELL, Gate, require_shown, show_all
from servicepunkt.web.parts import Key, Part, Parts
from servicepunkt.web.security import NONCE_KEY
from servicepunkt.web.settings import WebSettings
from servicepunkt.web.tenancy import PREFIX_KEY, TENANT_KEY

LANGUAGE_COOKIE = "sp_language"
CONTRAST_COOKIE = "sp_view"
TERMINAL = "/k"
LANGUAGE_NAMES = {"de": "Deutsch", "en": "English", "de-x-leicht": "Leichte Sprache"}

#: What `context` says of a reader of whom nothing is known.
NOBODY: Mapping[str, Any] = {
    "branding": branding_of(None),
    "ctx": None,
    "csrf": "",
    "languages": (),
    "legal": WebSettings(),
    "nonce": "",
    "path": "/",
    "view": "",
    "visitor": None,
}


class Foreign:
    """Notes in which languages texts stand on a page that its reader has not chosen."""

    def __init__(self, locale: str) -> None:
        self._locale = locale
        self._noted: list[str] = []

    def of(self, text: Text) -> str:
        """The language that stands in for the reader's, empty where it is the reader's; it is noted."""
        other = stand_in(text, self._locale)
        if other:
            self._note(other)
        return other

    def shown(self, part: Part) -> Markup:
        """A part that was made before; its languages are noted."""
        for other in part.foreign:
            self._note(other)
        return part.html

    @property
    def noted(self) -> tuple[str, ...]:
        return tuple(self._noted)

    def _note(self, other: str) -> None:
        if other not in self._noted:
            self._noted.append(other)

    def begin(self) -> list[str]:
        """A part of the page begins that is noted by itself: what was noted before is given back to `end`."""
        before, self._noted = self._noted, []
        return before

    def end(self, before: list[str]) -> str:
        """The names of what was noted in this part, in the reader's language: 'German'. Empty for nothing."""
        names = [name_of_language(code, self._locale) for code in self._noted]
        self._noted = before
        return ", ".join(names)


def name_of_language(code: str, locale: str) -> str:
    """A language by its name in another one; its code where it has none."""
    try:
        named = Locale.parse(code.partition("-")[0])
    except (ValueError, UnknownLocaleError):
        return code
    return named.get_display_name(locale.partition("-")[0]) or code


class Frame:
    """Renders pages. One for a process; the box controller has one of its own with fewer plugins.

    `gate` is asked for the tenant and the plugin before a template or a file is shown; a box, which has no tenants,
    shows all that it has.
    """

    def __init__(
        self,
        templates: Mapping[str, Path],
        static: Mapping[str, Path],
        texts: Texts,
        *,
        gate: Gate = show_all,
    ) -> None:
        self.texts = texts
        self.gate = gate
        self.static_folders = dict(static)
        self._environment = jinja2.Environment(
            loader=jinja2.PrefixLoader({name: jinja2.FileSystemLoader(folder) for name, folder in templates.items()}),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._parts = Parts()
        self._environment.filters["pick"] = pick
        # Texts of a catalogue were checked when it was published: nothing stands in them but what `html.clean` lets by.
        self._environment.filters["markup"] = lambda text: Markup(html.markup(text))  # noqa: S704

    def page(
        self, request: Request[Any, Any, Any], template: str, *, status: int = 200, **values: Any
    ) -> Response[str]:
        """An HTML answer. Template variables: see `context`. Raises NotFoundError where the plugin is off."""
        self.gate(request.scope.get(TENANT_KEY), template.partition("/")[0])
        body = self._environment.get_template(template).render(self.context(request), **values)
        return Response(body, media_type="text/html", status_code=status)

    def part(
        self, request: Request[Any, Any, Any], template: str, key: Key, make: Callable[[], Mapping[str, Any]]
    ) -> Part:
        """A part of a page, which `foreign.shown` puts into it.

        `key`: everything that `make`, which gives its variables, depends on. The reader's language, the prefix of
        addresses and whether it is for a terminal are added to it; other variables of `context` are not there.
        """
        self.gate(request.scope.get(TENANT_KEY), template.partition("/")[0])
        prefix, place = str(request.scope.get(PREFIX_KEY, "")), place_of(request)
        locale = language(request)

        def made() -> Part:
            context = self._reading(locale, prefix, place)
            body = self._environment.get_template(template).render(context, **make())
            return Part(Markup(body), context["foreign"].noted)  # noqa: S704 - a template's own output

        return self._parts.get((template, locale, prefix, place, *key), made)

    @lru_cache(maxsize=256)  # noqa: B019 - one frame lives as long as the process
    def kept_page(self, template: str, locale: str, prefix: str, place: str, **values: Any) -> str:
        """A page that is the same for everybody at one kind of place, without a form's token: made once."""
        context = {**self._reading(locale, prefix, place), "bar": _bar(prefix), **NOBODY, **values}
        return self._environment.get_template(template).render(context)

    def context(self, request: Request[Any, Any, Any]) -> dict[str, Any]:
        """What every template is given."""
        ctx: TenantContext | None = request.scope.get(TENANT_KEY)  # type: ignore[assignment]
        locale = language(request)
        return {
            **self._reading(locale, str(request.scope.get(PREFIX_KEY, "")), place_of(request)),
            "ctx": ctx,
            "bar": terminal_bar(request),
            "branding": branding_of(ctx),
            "csrf": csrf_token(request),
            "languages": [(code, LANGUAGE_NAMES.get(code, code)) for code in (ctx.languages if ctx else ("de", "en"))],
            "legal": ctx.section("web", WebSettings) if ctx else WebSettings(),
            "nonce": request.scope.get(NONCE_KEY, ""),
            "path": request.scope["path"],
            "view": request.cookies.get(CONTRAST_COOKIE, ""),
            "visitor": request.scope.get("servicepunkt_visitor"),
        }

    def _reading(self, locale: str, prefix: str, place: str) -> dict[str, Any]:
        """What is the same for everybody who reads in one language at one kind of place."""

        def translate(message: str, **arguments: object) -> str:
            return self.texts.translate(locale, message, **arguments)

        return {
            "_": translate,
            "foreign": Foreign(locale),
            "locale": locale,
            "place": place,
            "static": lambda name: ("" if name.startswith(f"{SHELL}/") else prefix) + self.static(name),
            "terminal": place == TERMINAL,
            "url": lambda path: prefix + path,
        }

    @lru_cache(maxsize=1024)  # noqa: B019 - one frame lives as long as the process
    def static(self, name: str) -> str:
        """The address of a static file, with its content's digest, so that browsers may keep it for ever."""
        plugin, _, rest = name.partition("/")
        try:
            content = (self.static_folders[plugin] / rest).read_bytes()
        except FileNotFoundError as error:
            raise SettingsError(
                f"the file {name} is missing; in a clone `python packages/web/browser_assets.py` brings the libraries"
            ) from error
        return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def build_frame(plugins: PluginHost, texts: Texts, *, gate: Gate = require_shown) -> Frame:
    """The frame with the templates and static files of all plugins."""
    return Frame(_folders(plugins, "templates"), _folders(plugins, "static_files"), texts, gate=gate)


def _folders(plugins: PluginHost, hook: str) -> dict[str, Path]:
    return {answer.plugin: answer.value for answer in plugins.startup(hook)}


def language(request: Request[Any, Any, Any]) -> str:
    """The language chosen by hand, else the tenant's; a terminal never follows what a browser prefers."""
    ctx: TenantContext | None = request.scope.get(TENANT_KEY)  # type: ignore[assignment]
    allowed = ctx.languages if ctx else ("de", "en")
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in allowed else (ctx.locale if ctx else "de")


def terminal_bar(request: Request[Any, Any, Any], *, idle: int = 60, warn: int = 30) -> dict[str, str | int]:
    """The variable `bar` of `web/terminal.html`; `idle` 0 never ends."""
    return _bar(str(request.scope.get(PREFIX_KEY, "")), idle=idle, warn=warn)


def _bar(prefix: str, *, idle: int = 60, warn: int = 30) -> dict[str, str | int]:
    paths = {name: f"{prefix}/k/{name}" for name in ("search", "help", "end")}
    return {"start": f"{prefix}/k", **paths, "idle": idle, "warn": warn}


def csrf_token(request: Request[Any, Any, Any]) -> str:
    """The token for this answer's forms; on pages of no route (not found) the browser's own, so that they work too."""
    token = ScopeState.from_scope(request.scope).csrf_token
    if isinstance(token, str):
        return token
    config = request.app.csrf_config
    return request.cookies.get(config.cookie_name, "") if config else ""


def is_terminal(request: Request[Any, Any, Any]) -> bool:
    return request.scope["path"].startswith("/k/") or request.scope["path"] == "/k"


def place_of(request: Request[Any, Any, Any]) -> str:
    """The prefix of citizens' pages: `/k` on a terminal, nothing on the web."""
    return TERMINAL if is_terminal(request) else ""


def local_path(value: str, *, fallback: str = "/") -> str:
    """`value` if it is a path of this site, else `fallback`: nobody is redirected elsewhere, nor upwards by dots."""
    bad = not value.startswith("/") or value.startswith("//") or "\\" in value or any(ord(c) < 32 for c in value)
    steps = unquote(value.partition("?")[0].partition("#")[0]).split("/")
    return fallback if bad or ".." in steps or len(value) > 512 else value
