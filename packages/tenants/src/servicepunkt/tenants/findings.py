"""What a check of a tenant file has found, for people, for programs and for editors. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from servicepunkt.core.rules import Broken
from servicepunkt.core.texts import Texts
from servicepunkt.tenants.files import Document, Unreadable
from servicepunkt.tenants.model import MAIN, Mistake
from servicepunkt.tenants.places import Place, nearest, places


class Finding(msgspec.Struct, frozen=True):
    """One mistake where it stands. `path` leads there in the document; `near` is what was probably meant."""

    code: str
    level: Literal["error", "warning"]
    file: str
    line: int
    column: int
    path: str
    sentence: str
    near: str = ""
    advice: str = ""

    @property
    def where(self) -> str:
        """'tenant.toml:12:3 hosts[0].hours'."""
        return f"{self.file}:{self.line}:{self.column} {self.path}".rstrip()


def finding(file: str, place: Place, path: Iterable[str | int], said: Broken) -> Finding:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    level: Literal["error", "warning"] = "warning" if said.rule.warns else "error"
    near = str(said.values.get("near", ""))
    return Finding(said.rule.code, level, file, place.line, place.column, steps, said, near, said.rule.advice)


def located(
    documents: Mapping[str, Document], mistakes: Iterable[Mistake], unreadable: Iterable[Unreadable]
) -> list[Finding]:
    """Every finding with its line and column, by file and line; the same mistake is named once."""
    found = [finding(one.file, one.place, (), one.said) for one in unreadable]
    known = {name: places(document.text) for name, document in documents.items()}
    for mistake in mistakes:
        at = nearest(known.get(mistake.file, {}), mistake.path)
        found.append(finding(mistake.file, at, mistake.path, mistake.said))
    unique = {(one.code, one.file, one.line, one.column, one.path, str(one.sentence)): one for one in found}
    return sorted(unique.values(), key=lambda one: (one.file != MAIN, one.file, one.line, one.column))


def said_in(found: Sequence[Finding], texts: Texts, locale: str) -> list[Finding]:
    """The findings in a language."""
    return [
        msgspec.structs.replace(
            one, sentence=texts.translate(locale, one.sentence), advice=texts.translate(locale, one.advice)
        )
        for one in found
    ]


def sarif(found: Sequence[Finding], *, version: str) -> dict[str, Any]:
    """The findings as SARIF 2.1.0 (OASIS), for code hosts and editors that show them beside the line."""
    rules = {one.code: one for one in found}
    return {
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "servicepunkt",
                        "version": version,
                        "rules": [
                            {"id": code, "shortDescription": {"text": one.advice or one.sentence}}
                            for code, one in sorted(rules.items())
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(one) for one in found],
            }
        ],
    }


def _result(one: Finding) -> dict[str, Any]:
    said = one.sentence + (f" ({one.near}?)" if one.near else "")
    region = {"startLine": one.line, "startColumn": one.column}
    location = {"artifactLocation": {"uri": one.file, "uriBaseId": "TENANT"}, "region": region}
    return {
        "ruleId": one.code,
        "level": one.level,
        "message": {"text": said},
        "locations": [{"physicalLocation": location}],
    }
