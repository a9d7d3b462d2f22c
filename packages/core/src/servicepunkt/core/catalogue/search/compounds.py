"""Compounds taken apart: Personalausweis is personal and ausweis, Wasserrechnung is wasser and rechnung. Pure.

The dictionary is the catalogue itself, with the words of the synonym files: a part is a word that occurs there alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from servicepunkt.core.catalogue.search.german import stem
from servicepunkt.core.catalogue.search.words import listed

SHORTEST, LONGEST = 4, 60
LEAST = 2  # times that a word occurs before it is believed to be a part
#: Short parts that are so frequent that not knowing them costs more than a wrong split.
SHORT = frozenset(listed("short_parts.de"))
_LINKS = ("", "s", "es", "n", "en", "er", "e")
#: Ends that only look like parts.
_NO_PARTS = frozenset({"ungen", "heit", "keit", "lich", "isch", "tion", "schaft", "ation", "ende", "enden"})


class Splitter:
    """Knows the words of one language and catalogue: folded words with how often they occur."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._known = {
            word
            for word, count in counts.items()
            if count >= LEAST and SHORTEST <= len(word) <= LONGEST and word.isalpha() and word not in _NO_PARTS
        } | SHORT
        self._stems = {stem(word) for word in self._known}
        self._found: dict[str, tuple[str, ...]] = {}

    def parts(self, word: str) -> tuple[str, ...]:
        """Two to four parts, or none where it cannot be taken apart."""
        if len(word) < SHORTEST + 3 or len(word) > LONGEST or not word.isalpha():
            return ()
        if (known := self._found.get(word)) is None:
            split = self._split(word, 4)
            known = split if split is not None and len(split) > 1 else ()
            self._found[word] = known
        return known

    def _split(self, word: str, most: int) -> tuple[str, ...] | None:
        """The split with the fewest parts; of those the one with the longest last part, which carries the meaning."""
        best: tuple[str, ...] | None = None
        for end in range(3, len(word) - 2):
            head = self._head(word[:end])
            if head is None:
                continue
            rest = word[end:]
            if rest in self._known or (len(rest) > SHORTEST and stem(rest) in self._stems):
                tail: tuple[str, ...] | None = (rest,)
            else:
                tail = self._split(rest, most - 1) if most > 2 and len(rest) >= SHORTEST + 3 else None
            if tail is not None and (best is None or len(tail) + 1 < len(best)):
                best = (head, *tail)
        return best

    def _head(self, text: str) -> str | None:
        """The known word that a first part is, without the letters that link it; or with an e that it lost."""
        for link in _LINKS:
            word = text.removesuffix(link) if link else text
            if text.endswith(link) and word in self._known:
                return word
        return text + "e" if text + "e" in self._known else None
