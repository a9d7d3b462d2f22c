"""Words of citizens for words of the administration: read from text files, looked up by stems. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from servicepunkt.core.catalogue.search.german import stem
from servicepunkt.core.catalogue.search.words import STOP_WORDS, fold, lines, words

Stems = tuple[str, ...]
SAME, MEANT = 0.9, 0.6
MOST_WORDS = 4


class Meaning(msgspec.Struct, frozen=True):
    """What may be meant as well: stems that have to occur together, and how certain that is (0 to 1)."""

    stems: Stems
    weight: float


class SynonymError(ValueError):
    """A line that cannot be read; says which."""


def stems_of(text: str) -> Stems:
    """The stems of a phrase, without words that say nothing."""
    found = [word for word in words(text) if word not in STOP_WORDS] or words(text)
    return tuple(stem(fold(word)) for word in found)


class Thesaurus:
    """Meanings by the stems of what was typed; equal words stand for each other inside of phrases, too."""

    def __init__(self, texts: Iterable[str]) -> None:
        known_lines = [line for text in texts for line in read(text)]
        self._leader: dict[str, str] = {}
        for line in known_lines:
            for equal in line.equals:
                if len(equal) == 1:
                    self._leader.setdefault(equal[0], line.equals[0][0])
        self._found: dict[Stems, dict[Stems, float]] = {}
        for line in known_lines:
            for key, meant, weight in line.pairs():
                known = self._found.setdefault(self._led(key), {})
                known[meant] = max(known.get(meant, 0.0), weight)
        self.longest = max(map(len, self._found), default=1)
        #: How each word is written, by how it is compared.
        self.written = {fold(word): word for line in known_lines for word in line.words}
        self.words = frozenset(self.written)

    def meanings(self, stems: Stems) -> list[Meaning]:
        """What may be meant by words in a row; nothing where they are the same words."""
        found = self._found.get(self._led(stems), {})
        return [Meaning(meant, weight) for meant, weight in found.items() if meant != stems]

    def _led(self, stems: Stems) -> Stems:
        return tuple(self._leader.get(one, one) for one in stems)


class Line(msgspec.Struct, frozen=True):
    """A line of a file: equal words, or words on the left that may mean those on the right. `words`: as written."""

    equals: tuple[Stems, ...] = ()
    left: tuple[Stems, ...] = ()
    right: tuple[Stems, ...] = ()
    words: frozenset[str] = frozenset()

    def pairs(self) -> Iterator[tuple[Stems, Stems, float]]:
        yield from ((one, other, SAME) for one in self.equals for other in self.equals)
        yield from ((one, other, MEANT) for one in self.left for other in self.right)


def read(text: str) -> list[Line]:
    """The lines of a synonym file. Raises SynonymError with the number of the line."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        left, arrow, right = said.partition(">")
        sides = [left.split(","), right.split(",")] if arrow else [said.split("=")]
        if not arrow and "=" not in said:
            raise SynonymError(f"line {number}: words are joined by = or >")
        stems = [tuple(stems_of(one) for one in side) for side in sides]
        if not all(1 <= len(one) <= MOST_WORDS for side in stems for one in side):
            raise SynonymError(f"line {number}: between the signs stand one to {MOST_WORDS} words")
        known = frozenset(words(said))
        found.append(Line(left=stems[0], right=stems[1], words=known) if arrow else Line(equals=stems[0], words=known))
    return found


def shipped(*own: str) -> Thesaurus:
    """The words that come with the project, German ones and English words for German ones; before them a town's own."""
    return Thesaurus(["\n".join(own), *("\n".join(lines(f"synonyms.{language}")) for language in ("de", "en"))])
