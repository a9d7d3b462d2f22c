"""Fees and durations in figures, as somebody reads them: '37,50 €', '€10.00 to €20.00', '1–2 days'. Pure.

What holds on several ways alike is said once; a way is named only where another one differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec
from babel.numbers import format_currency, format_decimal

from servicepunkt.core.catalogue.model import Channel, Duration, Fee, Text, Unit
from servicepunkt.core.texts import language_of

Say = Callable[..., str]
#: (one, several), as message ids.
UNITS: dict[Unit, tuple[str, str]] = {
    "JAHR": ("{number} year", "{number} years"),
    "MONAT": ("{number} month", "{number} months"),
    "WOCHE": ("{number} week", "{number} weeks"),
    "TAG": ("{number} day", "{number} days"),
    "WERKTAG": ("{number} weekday", "{number} weekdays"),
    "ARBEITSTAG": ("{number} working day", "{number} working days"),
    "STUNDE": ("{number} hour", "{number} hours"),
    "MINUTE": ("{number} minute", "{number} minutes"),
    "SEKUNDE": ("{number} second", "{number} seconds"),
}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`text`: for what it is, such as express. `channels`: on which ways alone, none for all."""

    said: str
    text: Text = {}
    channels: tuple[Channel, ...] = ()


def fees(found: Iterable[Fee], say: Say, locale: str) -> list[Figure]:
    return _together((Figure(said=_fee(one, say, locale), text=one.text), one.channel) for one in found)


def durations(found: Iterable[Duration], say: Say, locale: str) -> list[Figure]:
    return _together((Figure(said=_duration(one, say, locale), text=one.text), one.channel) for one in found)


def _together(found: Iterable[tuple[Figure, Channel]]) -> list[Figure]:
    """Each figure once with the ways on which it holds, in the editors' order."""
    ways: dict[str, tuple[Figure, list[Channel]]] = {}
    for figure, channel in found:
        ways.setdefault(repr(figure), (figure, []))[1].append(channel)
    every = {channel for _, own in ways.values() for channel in own}
    return [
        msgspec.structs.replace(figure, channels=() if "000" in own or set(own) == every else tuple(dict.fromkeys(own)))
        for figure, own in ways.values()
    ]


def _fee(fee: Fee, say: Say, locale: str) -> str:
    least, most = (money(one, fee.currency, locale) if one is not None else "" for one in (fee.amount, fee.amount_to))
    if not least and not most:
        return say("free of charge")
    if not least:
        said = say("up to {most}", most=most)
    elif most and most != least:
        said = say("{least} to {most}", least=least, most=most)
    else:
        said = least
    return say("{amount}, to be paid in advance", amount=said) if fee.prepaid else said


def money(amount: Decimal, currency: str, locale: str) -> str:
    """'37,50 €' or '€37.50'."""
    return format_currency(amount, currency, locale=language_of(locale))


def _duration(duration: Duration, say: Say, locale: str) -> str:
    least, most, unit = duration.least, duration.most, duration.most_unit or duration.unit
    if most is None or (most, unit) == (least, duration.unit):
        said = _time(least, duration.unit, say, locale)
    elif least == 0:
        said = say("up to {most}", most=_time(most, unit, say, locale))
    elif unit == duration.unit:
        numbers = (format_decimal(one, locale=language_of(locale)) for one in (least, most))
        said = say(UNITS[unit][1], number="–".join(numbers))
    else:
        two = (_time(least, duration.unit, say, locale), _time(most, unit, say, locale))
        said = say("{least} to {most}", least=two[0], most=two[1])
    return say("Deadline: {time}", time=said) if duration.kind == "deadline" else said


def _time(number: int, unit: Unit, say: Say, locale: str) -> str:
    return say(UNITS[unit][number != 1], number=format_decimal(number, locale=language_of(locale)))
