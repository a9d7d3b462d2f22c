"""Where a plugin is checked: a host with it, two tenants of which one has it on, and a database of its own."""

from __future__ import annotations

import inspect
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import entry_points
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from servicepunkt.core import hookspecs
from servicepunkt.core.conformance.candidate import GROUP, Candidate
from servicepunkt.core.conformance.watching import watched
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.identification import TEST_PERSON, Identified
from servicepunkt.core.people.model import ROLES
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext

ON, OFF = "on", "off"
#: What hooks are asked with: also what no tenant has, because a page may be older than what it shows.
ASKED = {
    "locale": ("de", "en", "de-x-leicht", "xx"),
    "point": ("point", "no-such-point", ""),
    "permissions": (frozenset[str](), frozenset[str]().union(*ROLES.values())),
    "identified": tuple(
        Identified(provider=name, level=level, at=datetime(2026, 11, 21, tzinfo=UTC), proof="1", attributes=attributes)
        for name, level, attributes in (("practice", 3, TEST_PERSON), ("", 0, {}))
    ),
}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a hook: what it returned or raised, how long it took, and what it did besides."""

    hook: str
    arguments: str
    answer: Any
    error: BaseException | None
    seconds: float
    is_first: bool
    did: tuple[str, ...]


class Bench:
    """Made for one check; `close` takes its database away."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self._closing = ExitStack()
        self._urls: Urls | Exception | None = None

    def close(self) -> None:
        self._closing.close()

    @cached_property
    def host(self) -> PluginHost:
        """The kernel, the product's own plugins that are installed, and the candidate. Raises PluginError."""
        from servicepunkt.core import plugin as core_plugin

        host = PluginHost()
        host.register(core_plugin, "core")
        for point in entry_points(group=GROUP):
            if point.value.startswith(f"{GROUP}.") and point.name != self.candidate.name:
                host.register(point.load(), point.name)
        if self.candidate.plugin not in (None, core_plugin):
            host.register(self.candidate.plugin, self.candidate.name)
        host.freeze()
        return host

    everything = ASKED["permissions"][-1]

    def implements(self, *hooks: str) -> bool:
        """Whether the candidate has one of these hooks."""
        return self.candidate.plugin is not None and bool({*hooks} & {*self.host.hooks(self.candidate.name)})

    def said(self, hook: str) -> Any:
        """The candidate's answer to a start-up hook; None where it has none."""
        return next((one.value for one in self.host.startup(hook) if one.plugin == self.candidate.name), None)

    def asked(self, hook: str) -> list[Any]:
        """The candidate's items for the tenant that has it on and somebody who may do everything."""
        ctx = TenantContext(id=1, slug=ON, name="On", plugins=frozenset({self.candidate.name}))
        given = {name: values[-1] if name == "permissions" else values[0] for name, values in ASKED.items()}
        answers = self.host.collect(ctx, hook, **given)
        return [item for answer in answers if answer.plugin == self.candidate.name for item in answer.value]

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every hook of the candidate, asked twice with everything that it may be asked."""
        return tuple(call for hook in self.host.hooks(self.candidate.name) for call in self._calls(hook))

    def _calls(self, hook: str) -> Iterator[Call]:
        function = self.host.implementation(self.candidate.name, hook)
        takes = inspect.signature(function).parameters
        is_start_up = "ctx" not in inspect.signature(getattr(hookspecs, hook)).parameters
        ctx = TenantContext(id=1, slug=ON, name="On", plugins=frozenset({self.candidate.name}))
        names = [name for name in takes if name in ASKED]
        for number, values in enumerate(product(*(ASKED[name] for name in names))):
            given: dict[str, Any] = dict(zip(names, values, strict=True)) | ({"ctx": ctx} if "ctx" in takes else {})
            for is_first in (True, False) if number == 0 else (False,):
                yield self._call(hook, function, given, is_first=is_first, is_start_up=is_start_up)

    def _call(
        self, hook: str, function: Callable[..., Any], given: dict[str, Any], *, is_first: bool, is_start_up: bool
    ) -> Call:
        answer, error = None, None
        with watched(may_read=self.candidate.folder if is_start_up else None, is_first=is_first) as seen:
            started = time.perf_counter()
            try:
                answer = function(**given)
                if inspect.isgenerator(answer):
                    answer = list(answer)
            except (Exception, SystemExit) as raised:  # noqa: BLE001 - that it raises is what is looked for
                error = raised
            seconds = time.perf_counter() - started
        said = ", ".join(f"{name}={value!r}" for name, value in given.items() if isinstance(value, str))
        return Call(
            hook=hook,
            arguments=said,
            answer=answer,
            error=error,
            seconds=seconds,
            is_first=is_first,
            did=tuple(seen.sentences),
        )

    @property
    def urls(self) -> Urls:
        """The database, with the tables of all plugins on the bench. Raises what its making raised."""
        if self._urls is None:
            try:
                self._urls = self._make_database()
            except Exception as error:  # noqa: BLE001 - raised again below, whenever it is asked for
                self._urls = error
        if isinstance(self._urls, Exception):
            raise self._urls
        return self._urls

    @cached_property
    def home(self) -> Path:
        return Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="servicepunkt-")))

    def _make_database(self) -> Urls:
        from servicepunkt.core.testing import database_server

        return self._closing.enter_context(database_server(self.home, self.host))

    @asynccontextmanager
    async def deployment(self) -> AsyncIterator[tuple[Deployment, TenantContext, TenantContext]]:
        """A deployment with a tenant that has every plugin of the bench on, and one that has not the candidate."""
        from servicepunkt.core.testing import make_tenant, open_deployment

        names = list(self.host.names)
        others = [name for name in names if name != self.candidate.name]
        async with open_deployment(self.urls, self.home, self.host) as made:
            on = await make_tenant(made, self.urls.owner, ON, plugins=names)
            off = await make_tenant(made, self.urls.owner, OFF, plugins=others)
            yield made, on, off
