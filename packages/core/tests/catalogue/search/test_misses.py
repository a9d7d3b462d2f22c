"""What nobody finds is counted without anything about a person."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from servicepunkt.core.catalogue.search import misses as store
from servicepunkt.core.catalogue.search.misses import ENOUGH, Misses, question
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Hunde anmelden", "anmelden hunde"),
        ("anmelden, Hunde!", "anmelden hunde"),
        ("ab", None),
        ("", None),
        ("erika@example.org", None),
        ("0151 12345678", None),
        ("Heidestraße 17", None),
        ("mein Nachbar macht jeden Abend sehr laut Musik", None),
        ("x" * 60, None),
        ("\0\0\0", None),
    ],
)
def test_what_may_be_about_somebody_is_never_counted(typed: str, said: str | None) -> None:
    assert question(typed) == said


def test_a_question_is_told_when_several_have_asked() -> None:
    counted = Misses()
    told = [counted.note(1, "Hunde chippen", f"asker {number}", NOW) for number in range(ENOUGH)]
    assert told == [*[None] * (ENOUGH - 1), ("chippen hunde", ENOUGH)]
    assert counted.note(1, "Hunde chippen", "asker 9", NOW) is None, "it begins anew"


def test_one_who_asks_again_and_again_is_one() -> None:
    counted = Misses()
    assert [counted.note(1, "Erika Mustermann", "asker", NOW) for _ in range(50)] == [None] * 50
    assert counted.note(2, "Erika Mustermann", "another", NOW) is None, "tenants are counted apart"


def test_a_terminal_has_another_asker_after_a_while() -> None:
    counted = Misses()
    times = [NOW + number * timedelta(minutes=11) for number in range(ENOUGH)]
    assert [counted.note(1, "Hund", "terminal", at) for at in times][-1] == ("hund", ENOUGH)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_HELD", 10)
    counted = Misses()
    for number in range(200):
        counted.note(1, "abc" + "x" * number, "asker", NOW)
    assert len(counted._asked) <= 10


async def test_questions_are_kept_until_they_are_settled_or_old(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    async with deployment.database.tenant(tenant) as tx:
        await store.write(tx, "hund", 3, date(2026, 11, 1))
        await store.write(tx, "hund", 3, date(2026, 11, 20))
        await store.write(tx, "katze", 3, date(2026, 1, 1))
        assert [(one.words, one.count, one.last_on) for one in await store.misses(tx)] == [
            ("hund", 6, date(2026, 11, 20)),
            ("katze", 3, date(2026, 1, 1)),
        ]
        assert await store.delete_misses(tx, NOW - timedelta(days=180)) == 1
        await store.settle(tx, "hund")
        assert await store.misses(tx) == []
    async with deployment.database.tenant(other) as tx:
        assert await store.misses(tx) == []
