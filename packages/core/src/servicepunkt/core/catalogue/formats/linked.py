"""What the formats of linked data have in common: texts by language, durations, a graph written bit by bit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.model import Duration, Service, Text

Node = dict[str, Any]
#: Units as ISO 8601 has them. Working days have none: how long they take depends on the calendar.
_UNITS = {
    "JAHR": ("P{}Y", 1),
    "MONAT": ("P{}M", 1),
    "WOCHE": ("P{}D", 7),
    "TAG": ("P{}D", 1),
    "STUNDE": ("PT{}H", 1),
    "MINUTE": ("PT{}M", 1),
    "SEKUNDE": ("PT{}S", 1),
}


def literals(text: Text) -> list[Node]:
    """A text in each of its languages, without markup."""
    said = {language: html.plain(value).strip() for language, value in text.items()}
    return [{"@language": language, "@value": value} for language, value in said.items() if value]


def processing_time(service: Service, *channels: str) -> str:
    """How long it takes at most through the first of these channels for which it is known, in ISO 8601; else empty."""
    for channel in channels:
        for one in service.durations:
            if one.kind == "processing" and one.channel == channel and (said := iso_duration(one)):
                return said
    return ""


def iso_duration(duration: Duration) -> str:
    """The longest time that is said, in ISO 8601 (XML Schema's part of it); empty for working days."""
    unit = (duration.most_unit or duration.unit) if duration.most is not None else duration.unit
    if unit not in _UNITS:
        return ""
    pattern, times = _UNITS[unit]
    return pattern.format((duration.least if duration.most is None else duration.most) * times)


def filled(node: Mapping[str, Any]) -> Node:
    """The node without what it does not say."""
    return {name: value for name, value in node.items() if value not in (None, "", [], {})}


def graph(context: Any, nodes: Iterable[Node]) -> Iterator[bytes]:
    """A JSON-LD document, a node a line. It may stand in a page: no `<` is left in it."""
    yield b'{"@context":' + _encoded(context) + b',"@graph":['
    before = b"\n"
    for node in nodes:
        yield before + _encoded(node)
        before = b",\n"
    yield b"\n]}\n"


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value).replace(b"<", b"\\u003c")
