"""Whether who has identified is the person to whom a document belongs. Pure.

Names are compared as ICAO 9303-3, section 6, transliterates them for the machine readable zone: Müller is Mueller, and
José is Jose. Spaces, hyphens and apostrophes are no matter; a doctor's degree is no part of a name.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Mapping

#: What is asked of the person, by the names of `servicepunkt.core.identification`.
REQUIRED = ("family_names", "date_of_birth")
#: Letters that are more than a base letter with a mark (ICAO 9303-3, section 6 A).
TRANSLITERATED = str.maketrans(
    {"Ä": "AE", "Å": "AA", "Æ": "AE", "Ð": "D", "Đ": "D", "Ħ": "H", "Ł": "L", "Ŋ": "N", "Ö": "OE", "Ø": "OE", "Œ": "OE",
     "Þ": "TH", "Ŧ": "T", "Ü": "UE", "ĸ": "Q", "ẞ": "SS"}
)  # fmt: skip
#: "Dr.", "Dr. med.", "Dr.-Ing.", more than once: before the name and with something behind it.
DEGREE = re.compile(r"^(?:dr\b\.?[\s-]*(?:[a-zäöü]{1,6}\.[\s-]*)*)+(?=\w)", re.IGNORECASE)
#: As much of a day as a card knows: all of it, the month, or the year.
KNOWN_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)


def fits(family_name: str, birth_date: str, attributes: Mapping[str, str]) -> bool:
    """Whether `attributes` are those of the person with this name and day of birth (YYYY-MM-DD).

    Both are compared, whatever comes of the first.
    """
    name = _same(letters(family_name), letters(attributes.get("family_names", "")))
    born = _born(birth_date, attributes.get("date_of_birth", ""))
    return name & born


def letters(name: str) -> str:
    """The letters of a name for comparing: capitals without marks, as in the machine readable zone.

    Letters of other scripts stay, so that they match nothing else.
    """
    composed = unicodedata.normalize("NFKC", name).strip()
    capitals = DEGREE.sub("", composed).upper().translate(TRANSLITERATED)
    return "".join(letter for letter in unicodedata.normalize("NFKD", capitals) if letter.isalpha())


def _born(expected: str, said: str) -> bool:
    """Whether a day of which parts may be unknown can be the expected one; without a year it says nothing."""
    known = bool(KNOWN_DATE.fullmatch(said))
    return _same(expected[: len(said)], said) & known & (len(expected) == len("YYYY-MM-DD"))


def _same(expected: str, said: str) -> bool:
    return hmac.compare_digest(expected.encode(), said.encode()) & bool(expected)
