"""The page of errors."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from pages.markdown import table, title
from pages.own import own_modules
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.rules import RULES, Rule
from servicepunkt.core.texts import Texts
from servicepunkt.dokbox.boards import CabinetError
from servicepunkt.dokbox.errors import DokboxError
from servicepunkt.eid.errors import EidError

Kind = type[ServicepunktError] | type[DokboxError] | type[CabinetError] | type[EidError]
TREES: tuple[Kind, ...] = (ServicepunktError, DokboxError, CabinetError, EidError)


def errors() -> list[Kind]:
    """Every error class of the installed packages that has a code, by code."""
    own = frozenset(own_modules())
    for module in own:
        importlib.import_module(module)
    found = {kind for tree in TREES for kind in descendants(tree) if kind.__module__ in own}
    return sorted(found, key=lambda kind: (kind.code, kind.__name__))


def descendants(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


def errors_page(host: PluginHost) -> str:
    texts = Texts([answer.value for answer in host.startup("texts")])
    kinds = errors()
    intro = (
        "A code stays what it is: it may stand in a runbook, a ticket or a program. Over HTTP an error is problem+json "
        "(RFC 9457) or a page with the same words. Errors of the box and of the online ID stand on their own, because "
        "they work without the house around them.\n"
    )
    rows = [(f"[{kind.code}](#{anchor(kind)})", f"`{kind.__name__}`", getattr(kind, "status", "")) for kind in kinds]
    overview = table(("Code", "Class", "HTTP status"), rows)
    sections = [error_section(kind, texts) for kind in kinds]
    return "\n".join([title("Errors"), intro, overview, *sections, *rule_sections(texts)])


def rule_sections(texts: Texts) -> Iterator[str]:
    """The rules that files can break, by code: `servicepunkt tenant check` names them with line and column."""
    yield title("Rules of files", 2)
    yield (
        "What stands in a tenant's files and does not fit. A rule that only warns keeps nothing from being put into "
        "force.\n"
    )
    rows = [
        (code, _both(rule, str), _both(rule, lambda said: german(texts, said)), "warns" if rule.warns else "")
        for code, rule in sorted(RULES.items())
    ]
    yield table(("Code", "English", "German", ""), rows)


def _both(rule: Rule, say: Callable[[str], str]) -> str:
    return "<br>".join(say(said) for said in (rule.sentence, rule.advice) if said)


def anchor(kind: type[Any]) -> str:
    return f"{kind.code}-{kind.__name__}".lower()


def error_section(kind: type[Any], texts: Texts) -> str:
    head = title(f"{kind.code} {kind.__name__}", 2)
    about = inspect.cleandoc(vars(kind).get("__doc__") or "")
    if issubclass(kind, (DokboxError, EidError)):
        sentences = [("Says", kind.sentence)]
    elif issubclass(kind, CabinetError):
        sentences = []  # an error of the lock boards says what it met: for who looks after the box, and in English
    else:
        sentences = [("To the citizen", kind.citizen), ("To staff", kind.staff), ("What to do next", kind.next_step)]
    rows = [(name, sentence, german(texts, sentence)) for name, sentence in sentences]
    rows.append(("Defined in", f"`{kind.__module__}`", ""))
    return "\n".join(
        part for part in (head, about + "\n" if about else "", table(("", "English", "German"), rows)) if part
    )


def german(texts: Texts, sentence: str) -> str:
    return "" if texts.missing("de", [sentence]) else texts.translate("de", sentence)
