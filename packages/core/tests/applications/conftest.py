"""A tenant with one form, a door with the test person, and a connector that can go wrong."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from servicepunkt.core.applications.model import Submission
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.identification import TEST_PERSON, Identified, IdentityWish
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, empty_database, make_tenant, open_deployment

FORM: dict[str, Any] = {
    "service": "certificate",
    "level": 2,
    "purpose": {"de": "Für das Führungszeugnis.", "en": "For the certificate."},
    "consent": {"de": "Ich willige ein.", "en": "I agree."},
    "connector": "register",
    "keep_days": 14,
    "fields": [
        {"name": "family", "label": {"de": "Nachname", "en": "Name"}, "from": "family_names", "locked": True},
        {"name": "born", "label": {"de": "Geboren", "en": "Born"}, "kind": "date", "from": "date_of_birth"},
        {"name": "degree", "label": {"de": "Grad", "en": "Degree"}, "from": "doctoral_degree", "required": False},
        {"name": "greeting", "label": {"de": "Anrede", "en": "Title"}, "from": "greeting", "required": False},
        {
            "name": "why",
            "label": {"de": "Zweck", "en": "Purpose"},
            "kind": "choice",
            "choices": [
                {"value": "private", "words": {"de": "Privat", "en": "Private"}},
                {"value": "office", "words": {"de": "Behörde", "en": "Authority"}},
            ],
        },
    ],
}


class Door:
    """Gives the test person to whoever was begun, once; `level` is what comes through it."""

    name, title, text, level = "door", "Door", "With the card", 3
    comes_with = 3
    old_enough: bool | None = None
    lives_there: bool | None = None

    def __init__(self) -> None:
        self.wishes: dict[tuple[int, UUID], IdentityWish] = {}
        self.failing: Exception | None = None

    async def begin(self, deployment: Deployment, tx: Transaction, wish: IdentityWish) -> str:
        if self.failing:
            raise self.failing
        self.wishes[tx.tenant_id, wish.key] = wish
        return f"{wish.return_path}?key={wish.key}"

    async def take(self, deployment: Deployment, tx: Transaction, key: UUID) -> Identified | None:
        if self.failing:
            raise self.failing
        if self.wishes.pop((tx.tenant_id, key), None) is None:
            return None
        return Identified(
            provider=self.name,
            level=self.comes_with,
            at=tx.now(),
            proof=f"proof-{key}",
            attributes=TEST_PERSON,
            old_enough=self.old_enough,
            lives_there=self.lives_there,
        )

    async def forget(self, deployment: Deployment, tx: Transaction, key: UUID) -> None:
        if self.failing:
            raise self.failing
        self.wishes.pop((tx.tenant_id, key), None)


class Register:
    """A receiver that takes an application once, and can go wrong before and after."""

    name = "register"

    def __init__(self) -> None:
        self.taken: list[Submission] = []
        self.before: Callable[[], Any] | None = None
        self.after: Callable[[], Any] | None = None

    async def send(self, application: Submission) -> str:
        if self.before:
            self.before()
        if application.id not in [one.id for one in self.taken]:
            self.taken.append(application)
        if self.after:
            return str(self.after())
        return f"case {application.reference}"


@pytest.fixture
def one_form() -> dict[str, Any]:
    return copy.deepcopy(FORM)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
async def running(
    urls: Urls, make_host: Any, clock: FixedClock, door: Door, register: Register, tmp_path: Path
) -> AsyncIterator[Deployment]:
    def greeted(ctx: TenantContext, identified: Identified) -> Mapping[str, str]:
        # The second one would change what the door says.
        return {"greeting": "Frau", "family_names": "Falsch"}

    host = make_host(
        town={
            "identity_providers": lambda ctx: (door,),
            "identity_attributes": greeted,
            "application_connectors": lambda ctx: (register,),
        }
    )
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, host, clock=clock) as made:
        yield made


@pytest.fixture
async def ctx(running: Deployment, urls: Urls) -> TenantContext:
    settings = {"applications": {"forms": [FORM], "folder": "file:inbox", "email": "office@example.org"}}
    return await make_tenant(running, urls.owner, "alpha", plugins=["town"], settings=settings)


@pytest.fixture
async def twin(running: Deployment, urls: Urls, ctx: TenantContext) -> TenantContext:
    settings = {"applications": {"forms": [FORM]}}
    return await make_tenant(running, urls.owner, "beta", plugins=["town"], settings=settings)
