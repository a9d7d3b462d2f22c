"""Rules that what somebody wrote can break: each has a stable code, a sentence and an advice. Pure.

A broken rule is a sentence in English that still knows its rule and its values, so that it can be said in the
reader's language. Codes are given out as in `errors`: SP1nnn tenant file, SP2nnn catalogue, SP3nnn hand-over.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from rapidfuzz import fuzz, process, utils

RULES: dict[str, Rule] = {}
OR = " / "
CLOSE_ENOUGH = 60.0


class Rule(msgspec.Struct, frozen=True):
    """`sentence` and `advice` (what is meant, what to do) are English message ids; the sentence has {places}.

    A rule that only `warns` does not keep a file from being put into force.
    """

    code: str
    sentence: str
    advice: str = ""
    warns: bool = False

    def __call__(self, **values: object) -> Broken:
        """The sentence for these values."""
        return Broken(self, values)


class Term(str):
    """A word within a sentence that is a message id itself."""

    __slots__ = ()


class Broken(str):
    """A sentence about something that breaks a rule.

    Its values may be terms, or tuples of them that stand for each other. The value `near` is what was probably meant.
    """

    __slots__ = ("rule", "values")
    rule: Rule
    values: dict[str, object]

    def __new__(cls, rule: Rule, values: dict[str, object]) -> Broken:
        said = {name: OR.join(value) if isinstance(value, tuple) else value for name, value in values.items()}
        self = super().__new__(cls, rule.sentence.format(**said))
        self.rule, self.values = rule, values
        return self

    def __reduce__(self) -> tuple[type[Broken], tuple[Rule, dict[str, object]]]:
        return Broken, (self.rule, self.values)


def rule(code: str, sentence: str, advice: str = "", *, warns: bool = False) -> Rule:
    """Declare a rule. Raises ValueError for a code that is taken."""
    declared = Rule(code, sentence, advice, warns)
    if RULES.setdefault(code, declared) != declared:
        raise ValueError(f"the code {code} is taken by: {RULES[code].sentence}")
    return declared


def closest(name: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty where none comes near."""
    found = process.extractOne(
        name, sorted(known), scorer=fuzz.ratio, processor=utils.default_process, score_cutoff=CLOSE_ENOUGH
    )
    return found[0] if found else ""


class RulesBroken(ValueError):  # noqa: N818 - what a struct raises while it is made, no error of the tree
    """Raised by a struct that does not fit together; `mistakes` are (place within it, broken rule)."""

    def __init__(self, mistakes: list[tuple[str, Broken]]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(f"{place}: {broken}" if place else broken for place, broken in mistakes))
