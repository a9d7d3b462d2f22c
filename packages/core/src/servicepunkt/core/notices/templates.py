"""What is wrong with the texts of notices, filled with the longest values of a tenant. Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

from servicepunkt.core.notices.alphabet import fits, sms_segments
from servicepunkt.core.notices.model import NoticeTemplate

# An address with or without its scheme: phones make a link of both. A date (28.11.) or a time has no letters there.
LINK = re.compile(
    r"://|\bwww\.|\b[a-z0-9-]+\.(?:[a-z]{2,}/|(?:de|com|net|org|eu|info|io|app|online|gov)\b)", re.IGNORECASE
)
# Places that would name the person. The house offers none of them; an area that did would be refused here.
PERSON = re.compile(r"(?:^|_)(?:name|first_?name|last_?name|surname|citizen|person|birth_?date|salutation)(?:$|_)")


def template_mistakes(template: NoticeTemplate, longest: Mapping[str, str]) -> list[str]:
    """What is wrong with the texts when every place is filled with its longest value; empty when all is well.

    The template's own longest values go before those in `longest`.
    """
    mistakes = []
    longest = {**longest, **template.longest}
    for language, text in (*template.texts.items(), *([("qr", template.qr)] if template.qr else [])):
        mistakes += [f"{template.name}/{language}: {found}" for found in _text_mistakes(template, text, longest)]
    return mistakes


def missing_language(template: NoticeTemplate, locale: str) -> list[str]:
    """The tenant's own language is what every other falls back to."""
    return [] if template.texts.get(locale) else [f"{template.name}/{locale}: there is no text in this language"]


def _text_mistakes(template: NoticeTemplate, text: str, longest: Mapping[str, str]) -> list[str]:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        if unknown := sorted(names - set(longest)):
            return [f"unknown places {', '.join(unknown)}"]
        filled = text.format(**longest)
    except (ValueError, LookupError) as error:
        return [str(error)]
    if template.channel != "sms":
        return []
    persons = sorted(name for name in names if PERSON.search(name))
    return [*_sms_mistakes(filled, template.segments), *(f"an SMS names no person: {name}" for name in persons)]


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
