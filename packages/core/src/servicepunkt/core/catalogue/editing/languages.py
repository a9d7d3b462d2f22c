"""What is not there in a language of the tenant, and what only a machine has put into it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from servicepunkt.core.catalogue.layers import MODULES
from servicepunkt.core.catalogue.model import Catalogue, Service, Text

FIELDS = ("name", "summary", "description", "fee", "duration", "ended")


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of one service (as forms name them) that lack a language, or that a machine has put into it."""

    service: str
    name: Text
    language: str
    missing: tuple[str, ...] = ()
    by_machine: tuple[str, ...] = ()


def lacks(catalogue: Catalogue, languages: Iterable[str]) -> list[Lack]:
    """Of each public service and language what is still to be written; what is empty everywhere is missing nowhere."""
    languages = tuple(languages)
    found = (
        _lack(service, one) for service in catalogue.services if service.visibility == "public" for one in languages
    )
    return [lack for lack in found if lack.missing or lack.by_machine]


def _lack(service: Service, language: str) -> Lack:
    missing = [field for field, text in _texts(service) if text and not text.get(language)]
    by_machine = [
        f"{MODULES}/{module.code}/{module.channel}" for module in service.modules if language in module.translated
    ]
    return Lack(
        service=service.id,
        name=service.name,
        language=language,
        missing=tuple(dict.fromkeys(missing)),
        by_machine=tuple(by_machine),
    )


def _texts(service: Service) -> Iterator[tuple[str, Text]]:
    yield from ((field, getattr(service, field)) for field in FIELDS)
    yield from ((f"{MODULES}/{module.code}/{module.channel}", module.text) for module in service.modules)
    for need in service.documents:
        yield "documents", need.text
        yield "documents", need.when
