"""Translations: message ids are English; each plugin brings `<language>.po` files, read when the process starts.

Leichte Sprache is a locale of its own, `de-x-leicht`; what it does not have is taken from German.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, dates
from babel.messages.pofile import read_po

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.rules import OR, Broken, Term

FALLBACK = "en"


class Texts:
    """All texts of the installed plugins in all languages."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._catalogues: dict[str, dict[str, str]] = {}
        for folder in folders:
            for path in sorted(folder.glob("*.po")):
                with path.open("rb") as file:
                    catalogue = read_po(file, locale=path.stem.partition("-")[0])
                known = self._catalogues.setdefault(path.stem, {})
                known.update(
                    {str(message.id): str(message.string) for message in catalogue if message.id and message.string}
                )

    def translate(self, locale: str, message: str, **values: object) -> str:
        """The text in `locale`; English where there is no translation. `{name}` places are filled from `values`.

        A broken rule brings its own values.
        """
        if isinstance(message, Broken):
            values = {name: self._value(locale, value) for name, value in message.values.items()}
            message = message.rule.sentence
        for language in (locale, locale.partition("-")[0]):
            if (found := self._catalogues.get(language, {}).get(message)) is not None:
                message = found
                break
        return message.format(**values) if values else message

    def _value(self, locale: str, value: object) -> object:
        """A value of a broken rule: terms are translated, everything else stands as it is."""
        if isinstance(value, tuple):
            return OR.join(str(self._value(locale, one)) for one in value)
        return self.translate(locale, value) if isinstance(value, (Term, Broken)) else value

    def languages(self) -> tuple[str, ...]:
        return (FALLBACK, *sorted(self._catalogues))

    def missing(self, locale: str, messages: Iterable[str]) -> list[str]:
        """Messages without a translation, for the test of completeness."""
        known = self._catalogues.get(locale, {})
        return [message for message in messages if message not in known]

    def error(self, locale: str, error: ServicepunktError) -> tuple[str, str]:
        """(what happened, what to do next) in words for the citizen."""
        return self.translate(locale, error.citizen), self.translate(locale, error.next_step)


def system_language() -> str:
    """The language of who sits at this computer, as POSIX says it; English where nothing is said."""
    said = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return "de" if said.startswith("de") else FALLBACK


def language_of(locale: str) -> Locale:
    return _locale(locale.partition("-")[0])


@lru_cache(maxsize=1024)
def spoken_date(day: date, locale: str) -> str:
    """'Samstag, 21. November' or 'Saturday, November 21'."""
    language = language_of(locale)
    return dates.format_date(day, "EEEE, d. MMMM" if language.language == "de" else "EEEE, MMMM d", locale=language)


@lru_cache(maxsize=64)
def _locale(code: str) -> Locale:
    return Locale.parse(code)


def written_date(day: date, locale: str) -> str:
    """'21. November 2026' or 'November 21, 2026'."""
    return dates.format_date(day, "long", locale=language_of(locale))


def spoken_time(instant: datetime, locale: str, zone: ZoneInfo) -> str:
    """'19:40 Uhr' or '7:40 PM'."""
    language = language_of(locale)
    local = instant.astimezone(zone)
    if language.language == "de":
        return f"{local:%H:%M} Uhr"
    return dates.format_time(local, "short", locale=language, tzinfo=zone).replace("\u202f", " ")
