"""Roles, locks and passwords: the rules of who may enter."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

import servicepunkt.core
from servicepunkt.core.people.model import (
    LOCK_LONGEST,
    MAX_FAILURES,
    ROLES,
    Account,
    after_failure,
    grant_mistakes,
    is_locked,
    password_mistakes,
    permissions,
    units,
)

NOW = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


def test_there_are_the_ten_roles_of_the_house() -> None:
    assert set(ROLES) == {
        "operator",
        "city_admin",
        "editor",
        "clerk",
        "point_staff",
        "agent",
        "partner",
        "host",
        "auditor",
        "data_protection_officer",
    }


@pytest.mark.parametrize(
    "role", ["host", "operator", "partner", "editor", "agent", "auditor", "data_protection_officer"]
)
def test_a_role_that_serves_no_citizen_names_no_deposit_no_help_and_no_account(role: str) -> None:
    """The retailer lends the place and learns nothing about the people in it; the operator runs the machine."""
    assert not [name for name in ROLES[role] if re.match(r"deposits|citizens|help|accounts|boxes|devices", name)]


def test_only_those_who_hand_documents_over_may_create_and_load_deposits() -> None:
    for permission in ("deposits.create", "deposits.load", "deposits.recall"):
        assert [role for role in ROLES if permission in ROLES[role]] == ["clerk"]


def test_no_role_may_do_everything() -> None:
    everything = frozenset().union(*ROLES.values())
    assert not [role for role in ROLES if ROLES[role] == everything]


def test_permissions_read_like_one_another() -> None:
    for permission in frozenset().union(*ROLES.values()):
        assert re.fullmatch(r"[a-z]+\.[a-z]+", permission)


def test_roles_add_up_and_an_unknown_one_allows_nothing() -> None:
    assert permissions(()) == frozenset()
    assert permissions(("mayor",)) == frozenset()
    assert permissions(("editor", "clerk", "mayor")) == ROLES["editor"] | ROLES["clerk"]


def test_a_role_for_a_unit_is_no_role_elsewhere() -> None:
    held = ("host@corner", "point_staff@north", "editor")
    assert permissions(held) == ROLES["editor"]
    assert permissions(held, "corner") == ROLES["editor"] | ROLES["host"]
    assert permissions(("host@corner",)) == {"staff.enter"}
    assert units(held, "host.read") == {"corner"}
    assert units(held, "catalogue.edit") is None
    assert units(held, "audit.read") == frozenset()


@pytest.mark.parametrize(
    ("grant", "right"),
    [
        ("host", True),
        ("host@corner", True),
        ("host@", False),
        ("host@Corner", False),
        ("host@a@b", False),
        ("mayor", False),
        ("mayor@corner", False),
        ("city_admin@corner", False),
    ],
)
def test_what_can_be_granted(grant: str, right: bool) -> None:
    assert (grant_mistakes(grant) == []) is right


def test_the_lock_begins_with_the_fifth_failure_and_doubles_to_an_hour() -> None:
    minutes = []
    for failures in range(14):
        count, until = after_failure(failures, NOW)
        assert count == failures + 1
        minutes.append(None if until is None else (until - NOW) / timedelta(minutes=1))
    assert minutes == [None] * 4 + [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


@given(st.integers(0, 2**31 - 2))
def test_however_many_failures_there_were_the_lock_has_an_end(failures: int) -> None:
    count, until = after_failure(failures, NOW)
    assert (until is None) == (count < MAX_FAILURES)
    assert until is None or NOW < until <= NOW + LOCK_LONGEST


def test_a_lock_ends_at_its_instant() -> None:
    def account(until: datetime | None) -> Account:
        return Account(
            id=uuid4(),
            login="a",
            name="A",
            password_hash="",
            roles=(),
            locked_until=until,
            created_at=NOW,
        )

    assert not is_locked(account(None), NOW)
    assert is_locked(account(NOW + timedelta(microseconds=1)), NOW)
    assert not is_locked(account(NOW), NOW)


@pytest.mark.parametrize("password", ["correct horse", "            ", "ä" * 12, "1" * 256, "Aa1!Aa1!Aa1!"])
def test_length_is_what_counts(password: str) -> None:
    assert password_mistakes(password, "anna") == []


@pytest.mark.parametrize(
    ("password", "sentences"),
    [
        ("elevenchars", ["The password needs at least 12 characters."]),
        ("", ["The password needs at least 12 characters."]),
        ("1" * 257, ["The password is longer than 256 characters."]),
        ("I am ANNA, really", ["The password must not contain the login."]),
        ("anna", ["The password needs at least 12 characters.", "The password must not contain the login."]),
    ],
)
def test_a_password_is_refused_with_every_reason(password: str, sentences: list[str]) -> None:
    assert password_mistakes(password, "anna") == sentences


def test_permissions_that_pages_ask_for_exist() -> None:
    """A misspelt permission would shut everybody out, and nobody would know why."""
    known = frozenset().union(*ROLES.values())
    packages = Path(servicepunkt.core.__file__).parents[5]
    asked = {
        found
        for path in packages.glob("*/src/**/*.py")
        for found in re.findall(r'"([a-z]+\.[a-z]+)" (?:not )?in permissions', path.read_text("utf-8"))
    }
    assert asked <= known
