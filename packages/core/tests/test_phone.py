"""Mobile numbers: what people type becomes one form, or a reason why no SMS can go there."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from servicepunkt.core.phone import NumberRefused, mobile_number, mobile_number_or_none

# Numbers of the kind that the Federal Network Agency keeps for films (0152 28817386 and its neighbours).
FICTION = "+4915228817386"


@pytest.mark.parametrize(
    "typed",
    [
        "0152 28817386",
        "015228817386",
        "+49 152 28817386",
        "0049152-28817386",
        "(0152) 288 173 86",
        "0152/28817386",
        "  0152.2881.7386  ",
        "+49 (0) 152 28817386",
        "٠١٥٢ ٢٨٨١٧٣٨٦",
    ],
)
def test_every_way_of_writing_a_number_gives_the_same_one(typed: str) -> None:
    assert mobile_number(typed, ("DE",)) == FICTION


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "The mobile number is missing."),
        ("   ", "The mobile number is missing."),
        ("my number", "This is not a telephone number."),
        ("1" * 41, "This is not a telephone number."),
        ("0561 787 0", "This is not a mobile number; an SMS would not arrive."),
        ("030 23125000", "This is not a mobile number; an SMS would not arrive."),
        ("0900 1234567", "This is a premium or service number; an SMS is only sent to mobile phones."),
        ("0180 5123456", "This is a premium or service number; an SMS is only sent to mobile phones."),
        ("0152 1", "This telephone number does not exist."),
        ("0152 288173861234", "This telephone number does not exist."),
        ("+43 664 1234567", "SMS are not sent to this country."),
        ("+41 78 123 45 67", "SMS are not sent to this country."),
    ],
)
def test_a_number_is_refused_with_its_reason(typed: str, reason: str) -> None:
    with pytest.raises(NumberRefused) as caught:
        mobile_number(typed, ("DE",))
    assert caught.value.sentence == reason
    assert mobile_number_or_none(typed, ("DE",)) is None


def test_no_country_no_number() -> None:
    assert mobile_number_or_none("0152 28817386", ()) is None


def test_other_countries_are_served_where_the_tenant_names_them() -> None:
    assert mobile_number("+43 664 1234567", ("DE", "AT")) == "+436641234567"
    assert mobile_number("0664 1234567", ("AT", "DE")) == "+436641234567"


def test_the_librarys_example_of_a_mobile_number_is_taken_in_every_country() -> None:
    """Some countries do not tell mobile numbers from others; some share a plan with a neighbour."""
    taken = 0
    for country in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
        if example is not None and phonenumbers.region_code_for_number(example) == country:
            written = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)
            assert mobile_number(written, (country,)) == phonenumbers.format_number(example, PhoneNumberFormat.E164)
            taken += 1
    assert taken > 200


@given(st.text(max_size=60))
def test_whatever_is_typed_there_is_a_number_or_a_reason(typed: str) -> None:
    found = mobile_number_or_none(typed, ("DE",))
    assert found is None or mobile_number(found, ("DE",)) == found
