"""German words: their stems, and the nouns that belong to verbs (verlieren, verloren: Verlust). Pure.

The stemmer is Snowball's for German. It joins inflected forms; it does not join a strong verb with its noun, which is
what citizens (umziehen, austreten) and the administration (Umzug, Austritt) differ in. A verb is taken apart into its
prefixes and its base; the base's noun comes from a table, the prefixes stay.
"""

from __future__ import annotations

from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]

from servicepunkt.core.catalogue.search.words import fold, lines, listed

_STEMMER = snowballstemmer.stemmer("german")


def _families() -> dict[str, str]:
    """From a folded form or noun of a base verb to what stands for all of its family: the first noun, or the verb."""
    found: dict[str, str] = {}
    for line in lines("families.de"):
        verbs, _, nouns = line.partition(":")
        members = [fold(one) for one in (*nouns.split(), *verbs.split())]
        for member in members:
            found.setdefault(member, members[0])
    return found


_FAMILY = _families()
_PREFIXES = tuple(map(fold, listed("prefixes.de")))


@lru_cache(maxsize=65536)
def stem(folded: str) -> str:
    """The stem of a folded word; numbers stay."""
    return str(_STEMMER.stemWord(folded)) if folded.isalpha() else folded


@lru_cache(maxsize=65536)
def family(folded: str) -> str | None:
    """What stands for all words of a family: umziehen, umgezogen and Umzug give umzug. None for words of no family."""
    for prefix, rest in _taken_apart(folded):
        base = _FAMILY.get(rest)
        if base is None and rest.startswith("zu"):  # umzuziehen
            base = _FAMILY.get(rest[2:])
        if base is not None:
            return prefix + base
    return None


def _taken_apart(folded: str) -> list[tuple[str, str]]:
    """The word as prefixes and rest: with none, one and two prefixes."""
    found = [("", folded)]
    for first in _PREFIXES:
        if folded.startswith(first) and len(folded) > len(first) + 2:
            rest = folded[len(first) :]
            found.append((first, rest))
            found += [
                (first + second, rest[len(second) :])
                for second in _PREFIXES
                if rest.startswith(second) and len(rest) > len(second) + 2
            ]
    return found
