"""The page frame: templates of all packages in one Jinja environment, and what every page is given.

Templates are addressed as `<plugin>/<file>`. A page knows the words (`_`), addresses below the tenant's prefix
(`url`), static files (`static`), the nonce, the language, and who is looking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from litestar import Request, Response
from litestar.utils.scope.state import ScopeState
from markupsafe import Markup

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import Texts
from servicepunkt.web.security import NONCE_KEY
from servicepunkt.web.settings import WebSettings
from servicepunkt.web.tenancy import PREFIX_KEY, TENANT_KEY

LANGUAGE_COOKIE = "sp_language"
CONTRAST_COOKIE = "sp_view"
LANGUAGE_NAMES = {"de": "Deutsch", "en": "English", "de-x-leicht": "Leichte Sprache"}


class Frame:
    """Renders pages. One for a process; the box controller has one of its own with fewer plugins."""

    def __init__(self, templates: Mapping[str, Path], static: Mapping[str, Path], texts: Texts) -> None:
        self.texts = texts
        self.static_folders = dict(static)
        self._environment = jinja2.Environment(
            loader=jinja2.PrefixLoader({name: jinja2.FileSystemLoader(folder) for name, folder in templates.items()}),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["pick"] = pick
        # Texts of a catalogue were checked when it was published: nothing stands in them but what `html.clean` lets by.
        self._environment.filters["markup"] = lambda text: Markup(html.markup(text))  # noqa: S704

    def page(
        self, request: Request[Any, Any, Any], template: str, *, status: int = 200, **values: Any
    ) -> Response[str]:
        """An HTML answer. Template variables: see `context`."""
        body = self._environment.get_template(template).render(self.context(request), **values)
        return Response(body, media_type="text/html", status_code=status)

    def context(self, request: Request[Any, Any, Any]) -> dict[str, Any]:
        """What every template is given."""
        ctx: TenantContext | None = request.scope.get(TENANT_KEY)  # type: ignore[assignment]
        locale = language(request)
        prefix = str(request.scope.get(PREFIX_KEY, ""))

        def translate(message: str, **arguments: object) -> str:
            return self.texts.translate(locale, message, **arguments)

        return {
            "_": translate,
            "ctx": ctx,
            "csrf": csrf_token(request),
            "languages": [(code, LANGUAGE_NAMES.get(code, code)) for code in (ctx.languages if ctx else ("de", "en"))],
            "locale": locale,
            "legal": ctx.section("web", WebSettings) if ctx else WebSettings(),
            "nonce": request.scope.get(NONCE_KEY, ""),
            "path": request.scope["path"],
            "place": place_of(request),
            "static": self.static,
            "terminal": is_terminal(request),
            "url": lambda path: prefix + path,
            "view": request.cookies.get(CONTRAST_COOKIE, ""),
            "visitor": request.scope.get("servicepunkt_visitor"),
        }

    @lru_cache(maxsize=1024)  # noqa: B019 - one frame lives as long as the process
    def static(self, name: str) -> str:
        """The address of a static file, with its content's digest, so that browsers may keep it for ever."""
        plugin, _, rest = name.partition("/")
        content = (self.static_folders[plugin] / rest).read_bytes()
        return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def build_frame(plugins: PluginHost, texts: Texts) -> Frame:
    """The frame with the templates and static files of all plugins."""
    return Frame(_folders(plugins, "templates"), _folders(plugins, "static_files"), texts)


def _folders(plugins: PluginHost, hook: str) -> dict[str, Path]:
    return {answer.plugin: answer.value for answer in plugins.startup(hook)}


def language(request: Request[Any, Any, Any]) -> str:
    """The language chosen by hand, else the tenant's; a terminal never follows what a browser prefers."""
    ctx: TenantContext | None = request.scope.get(TENANT_KEY)  # type: ignore[assignment]
    allowed = ctx.languages if ctx else ("de", "en")
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in allowed else (ctx.locale if ctx else "de")


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
    return "/k" if is_terminal(request) else ""


def local_path(value: str, *, fallback: str = "/") -> str:
    """`value` if it is a path of this site, else `fallback`: nobody is redirected elsewhere."""
    bad = not value.startswith("/") or value.startswith("//") or "\\" in value or any(ord(c) < 32 for c in value)
    return fallback if bad or len(value) > 512 else value
