"""Every probe: who asks which route with which verb, and in which place something of the other tenant is smuggled in.

The routes come from the application itself: one that a plugin adds tomorrow is probed without a word here. Nothing that
is sent holds a canary; what comes back and has one is a leak, never an echo.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from isolation.twins import BOX, DOCUMENT, EVERYTHING, HOST, LOGIN, POINT, SERVICE, THEME, Twin
from servicepunkt.core.people.model import ROLES

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: Platform's own paths have no tenant in them.
PLATFORM = ("/health/", "/metrics", "/static/")
PLACE = re.compile(r"{(\w+):(\w+)}")
OWN = ("path", "only there", "query", "cursor", "body", "header", "cookie")
FOREIGN = ("foreign path", "foreign host")
ALWAYS = ("path", "only there", "foreign path")
#: The rule of pages that exist in the operators' own tenant alone.
OPERATORS = "operator"
FEW = ("nobody", EVERYTHING, "terminal", "box")


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `position`: where the other tenant stands in it; `ruled`, `admitted`: whether the
    route has a rule, and lets them in; `hidden`: it is the operators', who are at home in neither tenant."""

    route: str
    verb: str
    who: str
    position: str
    path: str
    host: str
    headers: Mapping[str, str]
    ruled: bool = False
    admitted: bool = True
    hidden: bool = False
    query: str = ""
    body: bytes = b""

    @property
    def foreign(self) -> bool:
        return self.position in FOREIGN

    def __str__(self) -> str:
        return f"{self.who}: {self.verb} {self.host}{self.path}?{self.query} ({self.position})"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A path template with one handler's verb, the names of what it takes from the query, and its rule."""

    template: str
    verb: str
    names: tuple[str, ...] = ()
    rule: str = ""

    def admits(self, who: str) -> bool:
        """Whether the rule lets somebody in, who is named as `Twin.cookies` does."""
        kind, _, wanted = self.rule.partition(":")
        match kind:
            case "permission":
                return who == EVERYTHING or wanted in ROLES.get(who, ())
            case "device":
                # A terminal may show its token as boxes do, where any device may call.
                return who in ("box", "terminal") if wanted == "*" else who == wanted
            case _:
                return True


def routes(app: Litestar) -> list[Route]:
    """Every route of the application, those of all plugins."""
    found = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if isinstance(handler, HTTPRouteHandler):
                names = tuple(inspect.signature(handler.fn).parameters)
                rule = next((rule for guard in handler.resolve_guards() if (rule := getattr(guard, "rule", ""))), "")
                found += [
                    Route(template=route.path, verb=str(verb), names=names, rule=rule) for verb in handler.http_methods
                ]
    return sorted(found, key=lambda one: (one.template, one.verb))


class Smuggler:
    """Makes the probes of `alpha`'s people and devices against `beta`. `lone`: ids that only `beta` has."""

    def __init__(self, alpha: Twin, beta: Twin, lone: Mapping[str, str], csrf: str, *, every: bool) -> None:
        self._alpha, self._beta, self._lone, self._csrf = alpha, beta, lone, csrf
        self._every = every
        self.who = (*alpha.cookies, "box")

    def probes(self, route: Route) -> Iterator[Probe]:
        """Each person and device in each position; without `every` a single role takes two of the less telling ones."""
        if route.verb == "OPTIONS":
            return
        for number, who in enumerate(self.who):
            if who in FEW or not route.template.startswith(PLATFORM):
                for position in self._positions(route, number, few=who in FEW):
                    yield self._probe(route, who, position, route.verb)

    def _positions(self, route: Route, number: int, *, few: bool) -> list[str]:
        fitting = [position for position in (*OWN, *FOREIGN) if self._fits(route, position)]
        if few or self._every:
            return fitting
        others = [position for position in fitting if position not in ALWAYS]
        turn = (number + len(route.template)) % len(others)
        return [position for position in fitting if position in (*ALWAYS, others[turn], others[turn - 1])]

    def other_verbs(self, template: str, verbs: frozenset[str]) -> Iterator[Probe]:
        """The verbs that the template does not have, and OPTIONS."""
        route = Route(template=template, verb="")
        for verb, who, position in product(VERBS, FEW, ("path", "foreign path")):
            if verb not in verbs - {"OPTIONS"}:
                yield self._probe(route, who, position, verb)

    @staticmethod
    def _fits(route: Route, position: str) -> bool:
        match position:
            case "only there":
                return bool(PLACE.search(route.template))
            case "query" | "cursor":
                return route.verb not in UNSAFE
            case "body":
                return route.verb in UNSAFE
            case _:
                return True

    def _probe(self, route: Route, who: str, position: str, verb: str) -> Probe:
        path = self._path(route.template, self._lone if position == "only there" else self._beta.ids)
        side = self._beta if position in FOREIGN else self._alpha
        has_prefix = not path.startswith(PLATFORM) and position != "foreign host"
        program = "/api/" in path
        return Probe(
            route=route.template,
            verb=verb,
            who=who,
            position=position,
            path=(side.prefix if has_prefix else "") + path,
            host=self._beta.host if position in ("foreign host", "header") else self._alpha.host,
            headers=self._headers(who, position, program=program),
            ruled=bool(route.rule) and route.rule != OPERATORS,
            hidden=route.rule == OPERATORS,
            admitted=route.admits(who) and position not in FOREIGN,
            query=urlencode(self._query(route, position), doseq=True),
            body=self._body(route.template, position, program=program) if verb in UNSAFE else b"",
        )

    def _path(self, template: str, ids: Mapping[str, str]) -> str:
        only = ids is self._lone
        words = {
            "service": f"only-{self._beta.slug}" if only else SERVICE,
            "service_id": f"only-{self._beta.slug}" if only else SERVICE,
            "theme_id": THEME,
            "point_id": POINT,
            "box_id": BOX,
            "host_id": HOST,
            "incident_id": ids["incident"],
            "slot_id": ids["slot"],
            "provider": "first",
            "token": "0" * 32,
            "action": "recall" if only else "open_for_load",
            "plugin": "web",
            "name": "../../../tenant.toml" if only else "base.css",
            "revision": ids["revision"],
            "run": ids["run"],
            "deposit_id": ids["deposit"],
            "device_id": ids["terminal"],
            "call_id": ids["call"],
            "edit_id": ids["edit"],
            "order_id": ids["order"],
            "consent_id": ids["consent"],
            "slug": self._beta.slug,
            "account_id": ids["account"],
            "link_id": ids["link"],
            "session_id": ids["identification"],
        }

        def value(place: re.Match[str]) -> str:
            # A name that no one has thought of yet gets the other's deposit, in the form that its kind asks for.
            unknown = {"uuid": ids["deposit"], "int": "1"}.get(place[2], ids["reference"])
            return words.get(place[1], unknown)

        return PLACE.sub(value, template)

    def _smuggled(self) -> dict[str, str]:
        """The other tenant's ids, under each name that one could be asked for."""
        named = {f"{name}_id": value for name, value in self._lone.items()}
        return {**named, **self._lone, "tenant": self._beta.slug, "tenant_id": str(self._beta.ctx.id), "slug": "beta"}

    def _query(self, route: Route, position: str) -> dict[str, Any]:
        if position == "query":
            words = dict.fromkeys(route.names, self._lone["deposit"])
            # The beginning of all canaries: a search that looks at another tenant's words finds them.
            said = {"q": "zqopen", "theme": THEME, "field": "summary/en", "show": "all", "into": "en", "seen": ""}
            return self._smuggled() | words | said | {"limit": 50, "wait": 0}
        if position == "cursor":
            numbers = dict.fromkeys(("after", "before", "start", "page", "run", "wait", "cursor", "offset"), 0)
            return numbers | {"q": "zq", "decision": "added", "after": 0, "next": f"{self._beta.prefix}/staff"}
        return {}

    def _headers(self, who: str, position: str, *, program: bool) -> dict[str, str]:
        cookies = {"sp_csrf": self._csrf, **self._alpha.cookies.get(who, {})}
        headers = {"accept": "application/json" if program else "text/html"}
        if who == "box":
            headers["authorization"] = f"Bearer {self._alpha.box_token}"
        if position == "header":
            headers |= {
                "x-tenant": self._beta.slug,
                "x-tenant-id": str(self._beta.ctx.id),
                "x-forwarded-host": self._beta.host,
                "x-forwarded-prefix": self._beta.prefix,
                "x-original-url": f"{self._beta.prefix}/staff",
                "x-rewrite-url": f"{self._beta.prefix}/staff",
                "forwarded": f"host={self._beta.host}",
                "referer": f"https://{self._beta.host}{self._beta.prefix}/staff",
            }
            # A token of one kind where another kind's is looked for.
            if who == "terminal":
                headers["authorization"] = f"Bearer {cookies['sp_device']}"
            elif who == "box":
                cookies["sp_device"] = self._alpha.box_token
        if position == "cookie":
            cookies |= {"tenant": self._beta.slug, "tenant_id": str(self._beta.ctx.id), "sp_tenant": self._beta.slug}
            cookies |= {"prefix": self._beta.prefix}
            if who == "box":
                # The tenant's number in a token only says where to look.
                number = self._alpha.box_token.partition(".")[2]
                headers["authorization"] = f"Bearer {self._beta.ctx.id}.{number}"
            elif "sp_device" in cookies:
                cookies["sp_device"] = f"{self._beta.ctx.id}.{cookies['sp_device'].partition('.')[2]}"
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return headers

    def _body(self, template: str, position: str, *, program: bool) -> bytes:
        smuggled = self._smuggled() if position == "body" else {}
        if program:
            return msgspec.json.encode(self._json(template) | ({} if "events" in template else smuggled))
        form = {
            "_csrf_token": self._csrf,
            "document_number": DOCUMENT,
            "phone": "0151 12345678",
            "kind": "terminal" if "devices" in template else "passport",
            "box": BOX,
            "target": POINT,
            "label": "Desk",
            "locale": "de",
            "next": f"{self._beta.prefix}/staff",
            "do": "approve" if position == "body" else "withdraw",
            "action": "answer",
            "step": "answer",
            "words": "zqopen",
            "seen": "1",
            "compartment": "7",
            "language": "en",
            "summary/en": "Another sentence",
        }
        if template.startswith("/staff/consents") and position != "body":
            # A form with a field too many is refused before anything is done.
            said = {"role": "editor", "reason": "look", "starts": "2026-11-21T19:40", "ends": "2026-11-21T20:40"}
            return urlencode({"_csrf_token": self._csrf, **said}).encode()
        if position not in FOREIGN:
            # At the other's address a wrong password would rightly be counted there.
            form |= {"login": LOGIN, "password": "a long sentence of nobody of beta"}
        return urlencode(form | smuggled).encode()

    def _json(self, template: str) -> dict[str, Any]:
        if template.endswith("enrol"):
            return {"code": "ABCDEFGH", "kind": "box"}
        if template.endswith("heartbeat"):
            return {"info": {"version": "1"}}
        return {"events": [], "keys": [], "reports": []}
