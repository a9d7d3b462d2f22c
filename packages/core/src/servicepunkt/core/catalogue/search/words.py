"""Words of a text, folded so that spellings of one word become one; and lists of words that come with the project."""

from __future__ import annotations

import re
import unicodedata
from importlib import resources

MAX_TEXT = 100_000
_WORD = re.compile(r"[0-9a-zà-ɏ]+")
_FOLDED = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "ß": "ss"})
# Umlauts written with an e; not in words such as "neue", "bauen", "dauer", "steuer", "quer", where it is no umlaut.
_WRITTEN_OUT = re.compile(r"(?<![aeq])ue|(?<![aeq])oe|(?<![aeq])ae")


def lines(name: str) -> list[str]:
    """The lines of a list that comes with the project, without what follows a #."""
    text = (resources.files(__package__) / "lists" / f"{name}.txt").read_text("utf-8")
    return [said for line in text.splitlines() if (said := line.partition("#")[0].strip())]


def listed(name: str) -> tuple[str, ...]:
    """The words of a list, in its order."""
    return tuple(" ".join(lines(name)).split())


#: Words that say nothing about what is looked for. A question made of nothing else is searched as it stands.
STOP_WORDS = frozenset(listed("stop_words"))

#: What people do with a service of any kind: it tells less than what they do it with.
WEAK_WORDS = frozenset(listed("weak_words"))


def plain(text: str) -> str:
    """Small letters, composed, no soft hyphens or other invisible signs."""
    text = unicodedata.normalize("NFKC", text[:MAX_TEXT]).casefold().replace("\u00ad", "")
    return unicodedata.normalize("NFC", text)


def words(text: str) -> list[str]:
    """The words of a text in small letters, `ß` as `ss`; hyphens part words."""
    return _WORD.findall(plain(text))


def fold(word: str) -> str:
    """Umlauts without their dots, whether they were written with dots, with an e, or with neither."""
    folded = _WRITTEN_OUT.sub(lambda found: found.group()[0], word.translate(_FOLDED))
    decomposed = unicodedata.normalize("NFD", folded)
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))
