"""The small town with two forms, a door that gives the test person, and a receiver that can be down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.applications.model import Submission
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.identification import TEST_PERSON, Identified, IdentityWish
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.web import plugin as web_plugin


def both(german: str, english: str) -> dict[str, str]:
    return {"de": german, "en": english}


FIELDS: list[dict[str, Any]] = [
    {"name": "family", "label": both("Nachname", "Family name"), "from": "family_names", "locked": True},
    {"name": "born", "label": both("Geburtsdatum", "Date of birth"), "kind": "date", "from": "date_of_birth"},
    {"name": "address", "label": both("Anschrift", "Address"), "kind": "longtext", "from": "address"},
    {
        "name": "why",
        "label": both("Zweck", "Purpose"),
        "kind": "choice",
        "choices": [
            {"value": "private", "words": both("Für mich", "For myself")},
            {"value": "office", "words": both("Für eine Behörde", "For an authority")},
        ],
    },
    {"name": "mail", "label": both("E-Mail", "E-mail"), "kind": "email", "required": False},
    {"name": "honorary", "label": both("Ehrenamt?", "Voluntary work?"), "kind": "yes_no"},
]
TEXTS = {
    "purpose": both("Die Angaben braucht die Stadt für den Ausweis.", "The town needs this for the card."),
    "consent": both("Ich bin einverstanden.", "I agree."),
    "then": both("In drei Wochen kommt Post.", "A letter comes in three weeks."),
    "connector": "register",
}
FORMS = [
    {"service": "card", "level": 2, **TEXTS, "fields": FIELDS},
    {"service": "bonus", **TEXTS, "fields": FIELDS[4:]},
]


class Door:
    """Leads straight back; nothing comes of it where `gives` is false."""

    name, title, text, level = "door", "With the card", "You need your card and its PIN.", 3

    def __init__(self) -> None:
        self.begun: dict[tuple[int, UUID], IdentityWish] = {}
        self.gives = True
        self.leads_to = ""

    async def begin(self, deployment: Deployment, tx: Any, wish: IdentityWish) -> str:
        self.begun[tx.tenant_id, wish.key] = wish
        return self.leads_to or f"{wish.return_path}?key={wish.key}"

    async def take(self, deployment: Deployment, tx: Any, key: UUID) -> Identified | None:
        if self.begun.pop((tx.tenant_id, key), None) is None or not self.gives:
            return None
        return Identified(provider="door", level=3, at=tx.now(), proof="proof-7", attributes=TEST_PERSON)

    async def forget(self, deployment: Deployment, tx: Any, key: UUID) -> None:
        self.begun.pop((tx.tenant_id, key), None)


class Register:
    name = "register"

    def __init__(self) -> None:
        self.taken: list[Submission] = []
        self.is_down = False

    async def send(self, application: Submission) -> str:
        if self.is_down:
            raise OSError("canary")
        self.taken.append(application)
        return "case-1"


class Practice:
    """The plugin."""

    servicepunkt_api = "1"

    def __init__(self) -> None:
        self.door, self.register = Door(), Register()

    @hookimpl
    def identity_providers(self) -> list[Any]:
        return [self.door]

    @hookimpl
    def application_connectors(self) -> list[Any]:
        return [self.register]


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    host.register(core_plugin, "core")
    host.register(web_plugin, "web")
    host.register(Practice(), "practice")
    host.freeze()
    return host


@pytest.fixture
def practice(plugins: PluginHost) -> Any:
    found = plugins._manager.get_plugin("practice")
    found.door, found.register = Door(), Register()
    return found


@pytest.fixture
async def here(
    deployment: Deployment, urls: Urls, make_town: Callable[..., Any], alive: Callable[[Any], Any], practice: Any
) -> AsyncIterator[Any]:
    made = make_town(deployment, urls)
    await with_forms(made)
    async with alive(made.app):
        yield made


async def with_forms(made: Any) -> None:
    settings = {"applications": {"forms": FORMS}, "terminal": {"receipt": True}}
    made.alpha = await made._town("alpha", name="Seeburg", hosts=["alpha.example.org"], settings=settings)
    made.beta = await made._town("beta", name="Bergstadt", subdivision="BB", settings=settings)


@pytest.fixture(scope="session")
def make_forms() -> Callable[[Any], Any]:
    return with_forms
