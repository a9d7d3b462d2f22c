"""Asks all rules of one plugin, those of the kernel first, then those that installed areas add."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

from servicepunkt.core.conformance.bench import Bench
from servicepunkt.core.conformance.candidate import Candidate, candidate
from servicepunkt.core.conformance.model import Finding, Report, Rule, Trouble, judged
from servicepunkt.core.plugins import PluginError


def check(wanted: str | Path | Candidate) -> Report:
    """The report about a plugin: by its name, where it is installed, or in a folder with a pyproject.toml.

    Starts an embedded PostgreSQL where a rule needs one. Must not be called while an event loop is running.
    Raises NotFoundError where there is no such plugin.
    """
    from servicepunkt.core.conformance.rules import REGISTERS

    found = wanted if isinstance(wanted, Candidate) else candidate(wanted)
    bench = Bench(found)
    try:
        findings = [_asked(REGISTERS, bench)]
        if findings[0].state != "failed":
            findings += [_asked(rule, bench) for rule in _rules(bench)]
        return Report(plugin=found.name, findings=tuple(findings))
    finally:
        bench.close()


def _rules(bench: Bench) -> list[Rule]:
    return [rule for answer in bench.host.startup("conformance_rules") for rule in answer.value]


def _asked(rule: Rule, bench: Bench) -> Finding:
    try:
        troubles = rule.check(bench)
        if inspect.isawaitable(troubles):
            troubles = asyncio.run(_awaited(troubles))
    except PluginError as error:
        troubles = [Trouble("", error.staff_sentence)]
    except Exception as error:  # noqa: BLE001 - told in the report
        troubles = [Trouble("", f"could not be tried: {type(error).__name__}: {error}")]
    return judged(rule, list(troubles))


async def _awaited(troubles: object) -> list[Trouble]:
    return list(await troubles)  # type: ignore[misc]
