"""What may be ordered, references, and the states of an order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.errors import ConflictError, InvalidInputError
from servicepunkt.core.orders import model
from servicepunkt.core.orders.model import DRAFT, SIGNS, STATES, TRANSITIONS, Choice, Chosen, Order, Quote

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SINGLE = Choice(item="single", words={"de": "Einzelfahrt"}, price=Decimal("3.40"), most=5)
LAST = Choice(item="last", words={"de": "Letzte"}, price=Decimal(20), limit=1)
references = st.binary(min_size=8, max_size=8).map(lambda drawn: model.new_reference(lambda _: drawn))


def order(**values: Any) -> Order:
    given: dict[str, Any] = {
        "id": uuid4(),
        "key": uuid4(),
        "plugin": "shop",
        "service": "ticket",
        "provider": "shop",
        "point": "point",
        "reference": "2222-2222",
        "chosen": (),
        "total": Decimal(1),
        "currency": "EUR",
        "created_at": NOW,
        "changed_at": NOW,
        "expires_at": NOW + timedelta(hours=2),
    }
    return Order(**{**given, **values})


# --- choosing -------------------------------------------------------------------------------------------------


def test_what_is_chosen_keeps_words_and_price_and_the_order_in_which_it_is_offered() -> None:
    found = model.choose([SINGLE, LAST], {"last": 1, "single": 2})
    assert [(one.item, one.count, one.price, one.limit) for one in found] == [
        ("single", 2, Decimal("3.40"), None),
        ("last", 1, Decimal(20), 1),
    ]
    assert [one.item for one in model.choose([SINGLE, LAST], {"single": 0, "last": 1})] == ["last"]


@pytest.mark.parametrize(
    ("wish", "mistakes"),
    [
        ({}, [("", model.NOTHING_CHOSEN)]),
        ({"single": 0}, [("", model.NOTHING_CHOSEN)]),
        ({"single": 6}, [("single", model.TOO_MANY)]),
        ({"single": -1}, [("single", model.TOO_MANY)]),
        ({"last": 2, "gone": 1}, [("gone", model.GONE), ("last", model.TOO_MANY)]),
    ],
)
def test_every_mistake_of_a_choice_is_named_at_once(wish: dict[str, int], mistakes: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        model.choose([SINGLE, LAST], wish)
    assert caught.value.mistakes == mistakes


def test_what_is_taken_is_no_longer_left() -> None:
    seats = Choice(item="seats", words={}, limit=3)
    assert [one.limit for one in model.left([SINGLE, LAST, seats], {"last": 2, "seats": 1, "single": 9})] == [
        None,
        0,
        2,
    ]


@pytest.mark.parametrize("price", ["-0.01", "NaN", "Infinity", "0.001"])
def test_what_is_no_amount_of_money_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="no amount of money"):
        Choice(item="x", words={}, price=Decimal(price))
    with pytest.raises(ValueError, match="no amount of money"):
        Quote(total=Decimal(price), expires_at=NOW)


# --- references -----------------------------------------------------------------------------------------------


@given(references)
def test_a_reference_is_read_however_it_is_written(reference: str) -> None:
    for written in (reference, reference.lower(), reference.replace("-", ""), f" {reference.replace('-', ' ')} "):
        assert model.read_reference(written) == reference


@given(references, st.integers(0, 7), st.sampled_from(SIGNS))
def test_one_wrong_sign_is_noticed(reference: str, place: int, sign: str) -> None:
    plain = reference.replace("-", "")
    wrong = plain[:place] + sign + plain[place + 1 :]
    assert (model.read_reference(wrong) is None) == (wrong != plain)


@given(references, st.integers(0, 7), st.integers(0, 7))
def test_two_swapped_signs_are_noticed(reference: str, one: int, other: int) -> None:
    signs = list(reference.replace("-", ""))
    signs[one], signs[other] = signs[other], signs[one]
    assert (model.read_reference("".join(signs)) is None) == ("".join(signs) != reference.replace("-", ""))


@pytest.mark.parametrize("typed", ["", "2222", "2222-22222", "OOOO-OOOO", "2222-222é", "Müller"])
def test_what_is_no_reference_is_none(typed: str) -> None:
    assert model.read_reference(typed) is None


# --- states ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "to"), list(product(STATES, STATES)))
def test_only_moves_of_the_table_are_made(state: str, to: str) -> None:
    if to in TRANSITIONS[state]:
        assert model.move(state, to) == to
    else:
        with pytest.raises(ConflictError):
            model.move(state, to)


def test_only_what_is_placed_and_costs_something_is_paid() -> None:
    assert model.pay(order(state="placed")) == "paid_at_counter"
    for state, total in (("draft", 1), ("placed", 0), ("paid_at_counter", 1), ("cancelled", 1), ("expired", 1)):
        with pytest.raises(ConflictError):
            model.pay(order(state=state, total=Decimal(total)))


def test_a_draft_ends_before_what_was_placed() -> None:
    assert order().ends_at == NOW + DRAFT
    assert order(state="placed").ends_at == NOW + timedelta(hours=2)
    assert order(expires_at=NOW).ends_at == NOW


def test_an_order_has_no_place_for_a_person() -> None:
    fields = {*Order.__struct_fields__, *Chosen.__struct_fields__}
    assert not fields & {"name", "phone", "email", "recipient", "note", "text", "account", "device"}
