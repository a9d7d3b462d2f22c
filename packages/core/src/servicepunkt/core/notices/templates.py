"""What is wrong with the texts of notices, filled with the values of a tenant. Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterator, Mapping

from servicepunkt.core.notices.alphabet import fits, size, sms_segments
from servicepunkt.core.notices.model import NoticeTemplate

# An address with or without its scheme: phones make a link of both. A date (28.11.) or a time has no letters there.
LINK = re.compile(
    r"://|\bwww\.|\b[a-z0-9-]+\.(?:[a-z]{2,}/|(?:de|com|net|org|eu|info|io|app|online|gov)\b)", re.IGNORECASE
)
# Places that would name the person. The house offers none of them; an area that did would be refused here.
PERSON = re.compile(r"(?:^|_)(?:name|first_?name|last_?name|surname|citizen|person|birth_?date|salutation)(?:$|_)")


def template_mistakes(template: NoticeTemplate, values: Mapping[str, Collection[str]]) -> list[str]:
    """What is wrong with the texts, whatever of `values` stands in their places; empty when all is well.

    The template's own values go before those in `values`.
    """
    mistakes = []
    values = {**values, **template.values}
    for language, text in (*template.texts.items(), *([("qr", template.qr)] if template.qr else [])):
        mistakes += [f"{template.name}/{language}: {found}" for found in _text_mistakes(template, text, values)]
    return mistakes


def missing_language(template: NoticeTemplate, locale: str) -> list[str]:
    """The tenant's own language is what every other falls back to."""
    return [] if template.texts.get(locale) else [f"{template.name}/{locale}: there is no text in this language"]


def places(text: str) -> set[str]:
    """The places of a text, without their braces. Raises ValueError for a text that is none."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _text_mistakes(template: NoticeTemplate, text: str, values: Mapping[str, Collection[str]]) -> list[str]:
    try:
        names = places(text)
        if unknown := sorted(names - set(values)):
            return [f"unknown places {', '.join(unknown)}"]
        filled = [text.format(**filling) for filling in _fillings({name: values[name] for name in names})]
    except (ValueError, LookupError) as error:
        return [str(error)]
    if template.channel != "sms":
        return []
    persons = sorted(name for name in names if PERSON.search(name))
    found = [mistake for each in filled for mistake in _sms_mistakes(each, template.segments)]
    # Many values make the same mistake.
    return [*dict.fromkeys(found), *(f"an SMS names no person: {name}" for name in persons)]


def _fillings(values: Mapping[str, Collection[str]]) -> Iterator[dict[str, str]]:
    """Each value of each place once, beside the longest of all others."""
    longest = {name: max(offered, key=size, default="") for name, offered in values.items()}
    yield longest
    yield from ({**longest, name: value} for name, offered in values.items() for value in offered)


def _sms_mistakes(text: str, most: int) -> list[str]:
    mistakes = []
    alphabet, segments = sms_segments(text)
    if alphabet != "GSM-7":
        foreign = sorted({character for character in text if not fits(character)})
        mistakes.append(f"characters outside the SMS alphabet: {' '.join(foreign)}")
    if segments > most:
        mistakes.append(f"{segments} SMS instead of {most}")
    if LINK.search(text):
        mistakes.append("an SMS holds no link")
    return mistakes
