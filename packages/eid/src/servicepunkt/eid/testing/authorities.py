"""All of the state that a test needs: a country with its verifiers and terminals, and the cards that it signs.

    authorities = Authorities.new(today=date(2026, 11, 22))
    chip = Chip(authorities.card())
    terminal = Terminal(chip.answer)
    terminal.enter(Secrets.PIN, PIN, authorities.terminal(), authorities.chain, csca=authorities.csca.certificate)

Keys are new each time; a session of tests makes them once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Self

import msgspec

from servicepunkt.eid.cvc import Certificate, Extension, PublicKey
from servicepunkt.eid.rights import Right, Role
from servicepunkt.eid.testing.chip.internal import RESTRICTED_IDENTIFICATION
from servicepunkt.eid.testing.chip.session import Memory
from servicepunkt.eid.testing.person import new_card
from servicepunkt.eid.testing.pki import EVERYTHING, Holder, Signer, issue, new_country, new_csca, new_document_signer


class Authorities(msgspec.Struct, frozen=True, kw_only=True):
    """`official` verifies for terminals of the state, `verifier` for others; `sector` has the key of pseudonyms."""

    today: date
    country: Holder
    official: Holder
    verifier: Holder
    sector: Holder
    csca: Signer
    signer: Signer

    @classmethod
    def new(cls, *, today: date) -> Self:
        country, csca = new_country(today=today), new_csca(today=today)
        return cls(
            today=today,
            country=country,
            official=issue(country, "DEOFFICIAL00001", Role.DV_OFFICIAL, today=today),
            verifier=issue(country, "DEVERIFIER00001", Role.DV_OTHER, today=today),
            sector=new_country("DESECTOR00001", today=today),
            csca=csca,
            signer=new_document_signer(csca, today=today),
        )

    def terminal(
        self, rights: Iterable[Right] = EVERYTHING, *, issuer: Holder | None = None, today: date | None = None,
        days: int = 30, extensions: tuple[Extension, ...] = (), name: str = "DETERMINAL00001",
    ) -> Holder:  # fmt: skip
        """A terminal with its key, below `verifier` where nothing else is said."""
        return issue(
            issuer or self.verifier, name, Role.TERMINAL, today=today or self.today, rights=rights, days=days,
            extensions=extensions,
        )  # fmt: skip

    def card(self, **wishes: Any) -> Memory:
        """A card that trusts this country; `wishes` are those of `person.new_card`."""
        return new_card(self.signer, self.country, today=self.today, **wishes)

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """What stands between the country and its terminals."""
        return (self.verifier.certificate, self.official.certificate)

    @property
    def sector_key(self) -> PublicKey:
        """For pseudonyms; a terminal needs the extension `pki.sector` of it."""
        return PublicKey.of(self.sector.key.public_key(), RESTRICTED_IDENTIFICATION)
