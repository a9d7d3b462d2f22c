"""Rules, what is found, and the report; pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec

State = Literal["passed", "warned", "failed"]


class Trouble(msgspec.Struct, frozen=True):
    """Where something breaks a rule, and how. One that is not serious is a warning."""

    place: str
    sentence: str
    serious: bool = True


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of every plugin: `wants` says it in a sentence, `remedy` what to do about trouble.

    `check` is given the `Bench` with the plugin on it; it may be asynchronous. What it raises is trouble, too.
    """

    name: str
    wants: str
    remedy: str
    check: Callable[[Any], Sequence[Trouble] | Awaitable[Sequence[Trouble]]]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule found; `remedy` is empty where there is nothing to do."""

    rule: str
    wants: str
    state: State
    troubles: tuple[Trouble, ...] = ()
    remedy: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All findings about one plugin, in the order of the rules."""

    plugin: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.state == "failed")

    @property
    def warned(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.state == "warned")


def judged(rule: Rule, troubles: Sequence[Trouble]) -> Finding:
    state: State = "failed" if any(one.serious for one in troubles) else "warned" if troubles else "passed"
    remedy = rule.remedy if troubles else ""
    # Plain words: names of tables are of a class of their own, which is not written as JSON.
    found = tuple(Trouble(str(one.place), one.sentence, one.serious) for one in troubles)
    return Finding(rule=rule.name, wants=rule.wants, state=state, troubles=found, remedy=remedy)
