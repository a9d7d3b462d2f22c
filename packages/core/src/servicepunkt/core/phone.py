"""Mobile numbers: what somebody typed becomes E.164, or a reason why no SMS can go there."""

from __future__ import annotations

import phonenumbers
from phonenumbers import PhoneNumberType

MAX_TYPED = 40
# Some countries, those of the North American plan among them, do not tell the two apart.
MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
PREMIUM = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN})


class NumberRefused(ValueError):  # noqa: N818 - a reason for a form field, no error of the tree
    """`sentence` is an English message id that says what is wrong with the number."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


def mobile_number(typed: str, countries: tuple[str, ...]) -> str:
    """E.164 (`+4915112345678`) of a mobile number of one of `countries`; the first is meant without a prefix.

    Raises NumberRefused.
    """
    if not typed.strip():
        raise NumberRefused("The mobile number is missing.")
    if len(typed) > MAX_TYPED or not countries:
        raise NumberRefused("This is not a telephone number.")
    try:
        number = phonenumbers.parse(typed, countries[0])
    except phonenumbers.NumberParseException:
        raise NumberRefused("This is not a telephone number.") from None
    kind = phonenumbers.number_type(number)
    if kind in PREMIUM:
        raise NumberRefused("This is a premium or service number; an SMS is only sent to mobile phones.")
    if not phonenumbers.is_valid_number(number):
        raise NumberRefused("This telephone number does not exist.")
    if phonenumbers.region_code_for_number(number) not in countries:
        raise NumberRefused("SMS are not sent to this country.")
    if kind not in MOBILE:
        raise NumberRefused("This is not a mobile number; an SMS would not arrive.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def mobile_number_or_none(typed: str, countries: tuple[str, ...]) -> str | None:
    """Like `mobile_number`, for places where no reason may be given."""
    try:
        return mobile_number(typed, countries)
    except NumberRefused:
        return None
