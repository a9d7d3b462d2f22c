"""A country, its terminals and a card; keys are made once, cards for each test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip, Memory


@pytest.fixture(scope="session")
def authorities() -> Authorities:
    return Authorities.new(today=date(2026, 11, 22))


@pytest.fixture(scope="session")
def pattern(authorities: Authorities) -> Memory:
    return authorities.card()


@pytest.fixture
def new_chip(pattern: Memory) -> Callable[..., Chip]:
    """A chip like the pattern, but for what is named; `pin` as text."""

    def made(*, pin: str = "123456", **changes: Any) -> Chip:
        return Chip(msgspec.structs.replace(pattern, groups=dict(pattern.groups), pin=Secret(pin), **changes))

    return made
