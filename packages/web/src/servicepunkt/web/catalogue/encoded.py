"""What programs read of a revision: encoded once, held for as long as it is asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from servicepunkt.core.catalogue.formats.public import everybodys
from servicepunkt.core.catalogue.model import Catalogue, Service
from servicepunkt.core.catalogue.service import Published

KEPT = 64  # revisions whose bytes are held; one of Munich's size has 700 kB


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A published revision as everybody may read it: without services that are for staff alone."""

    revision: int
    digest: str
    catalogue: Catalogue


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One service of a revision."""

    revision: int
    service: Service


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A service that was found; `score` compares it with the others of the same answer."""

    id: str
    score: float
    name: dict[str, str]


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, the best first; `meant`: words that were typed otherwise than they are known."""

    revision: int
    found: list[Found]
    meant: dict[str, str]


class Encoded:
    """The bytes of one revision; equal revisions are the same object."""

    __slots__ = ("digest", "etag", "services", "whole")

    def __init__(self, published: Published) -> None:
        public = everybodys(published.catalogue)
        self.digest = published.digest
        # The number is part of what is answered: an earlier revision that was brought back has another one.
        self.etag = f'"{published.revision}-{published.digest[:32]}"'
        self.whole = msgspec.json.encode(
            Revision(revision=published.revision, digest=published.digest, catalogue=public)
        )
        self.services = {
            service.id: msgspec.json.encode(ServiceAnswer(revision=published.revision, service=service))
            for service in public.services
        }


_kept: dict[tuple[int, str], Encoded] = {}


def encoded(published: Published) -> Encoded:
    """The bytes of a revision, from memory where somebody has asked before."""
    key = (published.revision, published.digest)
    found = _kept.pop(key, None) or Encoded(published)
    _kept[key] = found
    while len(_kept) > KEPT:
        del _kept[next(iter(_kept))]
    return found


@lru_cache(maxsize=1)
def description() -> bytes:
    """The interface as OpenAPI 3.1, made from the structs that are answered."""
    answers = (Revision, ServiceAnswer, SearchAnswer)
    schemas, components = msgspec.json.schema_components(answers, ref_template="#/components/schemas/{name}")

    def operation(summary: str, schema: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
        said = {"application/json": {"schema": schema}}
        headers = {"etag": {"schema": {"type": "string"}, "description": "changes with what is answered"}}
        responses = {
            "200": {"description": "as it is published", "content": said, "headers": headers},
            "304": {"description": "nothing has changed since the revision in If-None-Match"},
            "404": {"description": "nothing is published, or there is no such service (problem+json)"},
        }
        return {"get": {"summary": summary, "parameters": list(parameters), "responses": responses}}

    def parameter(name: str, where: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
        required = where == "path" or name == "q"
        return {"name": name, "in": where, "required": required, "schema": schema, "description": text}

    whole, one, found = schemas
    words = parameter("q", "query", {"type": "string", "maxLength": 200}, "words as citizens type them")
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 60}, "how many at most")
    service = parameter("service", "path", {"type": "string"}, "id of the service")
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "Servicepunkt: catalogue",
            "version": "1",
            "description": "The published catalogue of a tenant; everything is open to everybody and may be cached.",
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "paths": {
            "/api/v1/catalogue": operation("The whole published revision", whole),
            "/api/v1/catalogue/services/{service}": operation("One service", one, service),
            "/api/v1/catalogue/search": operation("Services by the words of citizens", found, words, limit),
        },
        "components": {"schemas": components},
    }
    return msgspec.json.encode(made)
