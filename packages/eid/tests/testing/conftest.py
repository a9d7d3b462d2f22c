"""A card, its country and its terminals; keys are made once, cards for each test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec
import pytest

from servicepunkt.eid.cvc import Extension, PublicKey
from servicepunkt.eid.rights import Right, Role
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.chip import Chip, Memory
from servicepunkt.eid.testing.person import new_card
from servicepunkt.eid.testing.pki import EVERYTHING, Holder, Signer, issue, new_country, new_csca, new_document_signer

TODAY = date(2026, 11, 22)


class Authorities(msgspec.Struct, frozen=True, kw_only=True):
    """All that a test needs of the state."""

    country: Holder
    official: Holder
    verifier: Holder
    sector: Holder
    csca: Signer
    signer: Signer

    def terminal(
        self, rights: frozenset[Right] = EVERYTHING, *, issuer: Holder | None = None, today: date = TODAY,
        days: int = 30, extensions: tuple[Extension, ...] = (), name: str = "DETERMINAL00001",
    ) -> Holder:  # fmt: skip
        return issue(
            issuer or self.verifier, name, Role.TERMINAL, today=today, rights=rights, days=days, extensions=extensions
        )

    @property
    def sector_key(self) -> PublicKey:
        return PublicKey.of(self.sector.key.public_key(), bytes.fromhex("04007F00070202050203"))


@pytest.fixture(scope="session")
def authorities() -> Authorities:
    country = new_country(today=TODAY)
    csca = new_csca(today=TODAY)
    return Authorities(
        country=country,
        official=issue(country, "DEOFFICIAL00001", Role.DV_OFFICIAL, today=TODAY),
        verifier=issue(country, "DEVERIFIER00001", Role.DV_OTHER, today=TODAY),
        sector=new_country("DESECTOR00001", today=TODAY),
        csca=csca,
        signer=new_document_signer(csca, today=TODAY),
    )


@pytest.fixture(scope="session")
def pattern(authorities: Authorities) -> Memory:
    return new_card(authorities.signer, authorities.country, today=TODAY)


NewChip = Callable[..., Chip]


@pytest.fixture
def new_chip(pattern: Memory) -> NewChip:
    """A chip like the pattern, but for what is named; `pin` as text."""

    def made(*, pin: str = "123456", **changes: object) -> Chip:
        memory = msgspec.structs.replace(pattern, groups=dict(pattern.groups), pin=Secret(pin), **changes)
        return Chip(memory)

    return made
