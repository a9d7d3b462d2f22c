"""Of the style sheets only what some pages use, so that they fit into a file that can be mailed. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import tinycss2  # type: ignore[import-untyped]

_CLASS = re.compile(r"\.([A-Za-z_-][\w-]*)")
_PROPERTY = re.compile(r"--[\w-]+")
_DECLARED = re.compile(r"(?<=[{;])\s*(--[\w-]+)\s*:[^;{}]*;?")
_WORDS = re.compile(r'class="([^"]*)"')
#: Rules for what happens while somebody types or touches; nothing happens in a preview.
_IDLE = re.compile(r":(?:hover|active|focus|focus-visible|focus-within)\b")


def classes_of(pages: Collection[str]) -> set[str]:
    """The classes that the pages name."""
    return {word for page in pages for found in _WORDS.findall(page) for word in found.split()}


def used(css: str, classes: Collection[str]) -> str:
    """The rules that can match elements with these classes, and the custom properties that those need."""
    kept = "".join(_rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), set(classes)))
    while True:
        needed = set(_PROPERTY.findall(re.sub(r"(--[\w-]+)\s*:", ":", kept)))
        thinner = _DECLARED.sub(partial(_if_needed, needed), kept)
        if thinner == kept:
            return kept
        kept = thinner


def _if_needed(needed: Collection[str], declared: re.Match[str]) -> str:
    return declared[0] if declared[1] in needed else ""


def _rules(rules: list[Any], classes: set[str]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [one for one in tinycss2.serialize(rule.prelude).split(",") if _matches(one, classes)]
            if selectors:
                yield f"{','.join(selectors)}{{{tinycss2.serialize(rule.content)}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports") and rule.content is not None:
            inside = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if body := "".join(_rules(inside, classes)):
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{body}}}"


def _matches(selector: str, classes: set[str]) -> bool:
    return not _IDLE.search(selector) and set(_CLASS.findall(selector)) <= classes
