"""What is wrong with the texts of notices, filled with the values of a tenant. Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterator, Mapping

from servicepunkt.core.notices.alphabet import fits, size, sms_segments
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.rules import Broken, rule

# An address with or without its scheme: phones make a link of both. A date (28.11.) or a time has no letters there.
LINK = re.compile(
    r"://|\bwww\.|\b[a-z0-9-]+\.(?:[a-z]{2,}/|(?:de|com|net|org|eu|info|io|app|online|gov)\b)", re.IGNORECASE
)
# Places that would name the person. The house offers none of them; an area that did would be refused here.
PERSON = re.compile(r"(?:^|_)(?:name|first_?name|last_?name|surname|citizen|person|birth_?date|salutation)(?:$|_)")

Mistake = tuple[str, str]

NO_TEXT = rule("SP1141", "there is no text in this language")
UNKNOWN_PLACES = rule("SP1142", "unknown places {names}")
BROKEN_TEXT = rule("SP1143", "this text has a brace too many or too few: {why}")
PERSON_NAMED = rule(
    "SP1144", "an SMS names no person: {name}", "Whoever finds the phone must not learn whose document waits."
)
OUTSIDE_ALPHABET = rule(
    "SP1145", "characters outside the SMS alphabet: {characters}", "One such character makes an SMS cost twice as much."
)
TOO_LONG = rule("SP1146", "{segments} SMS instead of {most}", "Shorten the text, or the names that stand in it.")
HOLDS_LINK = rule("SP1147", "an SMS holds no link", "People learn not to trust links in messages.")


def template_mistakes(template: NoticeTemplate, values: Mapping[str, Collection[str]]) -> list[Mistake]:
    """What is wrong with the texts, whatever of `values` stands in their places, as (name/language, sentence).

    The template's own values go before those in `values`.
    """
    mistakes: list[Mistake] = []
    values = {**values, **template.values}
    for language, text in (*template.texts.items(), *([("qr", template.qr)] if template.qr else [])):
        mistakes += [(f"{template.name}/{language}", found) for found in _text_mistakes(template, text, values)]
    return mistakes


def missing_language(template: NoticeTemplate, locale: str) -> list[Mistake]:
    """The tenant's own language is what every other falls back to."""
    return [] if template.texts.get(locale) else [(f"{template.name}/{locale}", NO_TEXT())]


def places(text: str) -> set[str]:
    """The places of a text, without their braces. Raises ValueError for a text that is none."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _text_mistakes(template: NoticeTemplate, text: str, values: Mapping[str, Collection[str]]) -> list[Broken]:
    try:
        names = places(text)
        if unknown := sorted(names - set(values)):
            return [UNKNOWN_PLACES(names=", ".join(unknown))]
        filled = [text.format(**filling) for filling in _fillings({name: values[name] for name in names})]
    except (ValueError, LookupError) as error:
        return [BROKEN_TEXT(why=str(error))]
    if template.channel != "sms":
        return []
    persons = sorted(name for name in names if PERSON.search(name))
    found = [mistake for each in filled for mistake in _sms_mistakes(each, template.segments)]
    # Many values make the same mistake.
    return [*dict.fromkeys(found), *(PERSON_NAMED(name=name) for name in persons)]


def _fillings(values: Mapping[str, Collection[str]]) -> Iterator[dict[str, str]]:
    """Each value of each place once, beside the longest of all others."""
    longest = {name: max(offered, key=size, default="") for name, offered in values.items()}
    yield longest
    yield from ({**longest, name: value} for name, offered in values.items() for value in offered)


def _sms_mistakes(text: str, most: int) -> list[Broken]:
    mistakes = []
    alphabet, segments = sms_segments(text)
    if alphabet != "GSM-7":
        foreign = sorted({character for character in text if not fits(character)})
        mistakes.append(OUTSIDE_ALPHABET(characters=" ".join(foreign)))
    if segments > most:
        mistakes.append(TOO_LONG(segments=segments, most=most))
    if LINK.search(text):
        mistakes.append(HOLDS_LINK())
    return mistakes
