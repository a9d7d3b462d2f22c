"""Section [eid] of a tenant file: readers, the eID service that the town buys, the wallet's certificate. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from servicepunkt.core.applications.settings import settings_of as applications_of
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.errors import SecretError
from servicepunkt.core.rules import closest, rule
from servicepunkt.core.secrets import tenant_prefix, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext

SECTION = "eid"
Mistake = tuple[str, str]
Address = Annotated[str, Meta(max_length=200)]
Reference = Annotated[str, Meta(max_length=200)]

READER_TWICE = rule("SP4421", "this id is taken", "A reader has an id of its own; its device is enrolled under it.")
NO_POINT = rule("SP4422", "there is no point {name!r}", "It has to be the id of one of the points.")
NO_SECRET = rule(
    "SP4423",
    "a secret of this tenant is written as env:{prefix}NAME or file:NAME",
    "The secret itself never stands in a file of a tenant.",
)
NO_ADDRESS = rule(
    "SP4424", "{address!r} is no address of https", "Only a host, a port and a path stand here, after https://."
)
NO_LOCAL_ADDRESS = rule(
    "SP4425", "{address!r} is no address of a reader's pages", "As in http://localhost:8630, or with https elsewhere."
)
SERVICE_NEEDED = rule(
    "SP4426",
    "there are readers, and a form for which somebody identifies, but no eID service",
    "What the town buys stands in [eid.service]; until then the readers look after PINs alone.",
    warns=True,
)
NO_HTTP_ELSEWHERE = rule(
    "SP4427", "http is for pages on the terminal's own computer", "A number that somebody types needs https elsewhere."
)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ReaderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card reader with its controller. `local_url`: where the controller's pages are, as the terminal's browser
    calls them; the controller says it itself when it is enrolled."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
    point: str
    local_url: Annotated[str, Meta(max_length=200)] = ""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The eID service that the town buys (TR-03130).

    `url`: where it is asked for sessions and results. `server_address`: where people's AusweisApp goes (PAOS).
    `certificate` and `key` are ours, PEM, for TLS and for our signatures; `trusted` is the certificate with which the
    service signs, `authorities` those of its TLS, the usual ones where it is empty: all four by reference.
    `channel`: how the AusweisApp's channel to it is secured: by a key that it gives us for each session, or by its
    certificate alone where it is attached to our pages, that is behind the same TLS. `address`: of this tenant, as the
    certificate of the terminal names it; the deployment's own where it is empty. `error_address`: where people go whose
    connection broke; a page of ours where it is empty.
    """

    url: Address
    server_address: Address
    certificate: Reference
    key: Reference
    trusted: Reference
    authorities: Reference = ""
    channel: Literal["psk", "attached"] = "psk"
    address: Address = ""
    error_address: Address = ""


class EidSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`help_phone`: whom to call for a lost PIN or card, as it is shown."""

    readers: tuple[ReaderSettings, ...] = ()
    service: ServiceSettings | None = None
    help_phone: Annotated[str, Meta(max_length=40)] = ""

    def reader(self, reader_id: str) -> ReaderSettings | None:
        return next((one for one in self.readers if one.id == reader_id), None)

    def readers_at(self, point: str) -> tuple[ReaderSettings, ...]:
        return tuple(one for one in self.readers if one.point == point)


def settings_of(ctx: TenantContext) -> EidSettings:
    return ctx.section(SECTION, EidSettings)


def mistakes(draft: TenantDraft) -> list[Mistake]:
    """What a schema cannot see, as (place within the section, broken rule)."""
    settings = settings_of(draft.ctx)
    return [*_of_readers(settings, draft), *_of_service(settings, draft)]


def _of_readers(settings: EidSettings, draft: TenantDraft) -> Iterator[Mistake]:
    ids = Counter(one.id for one in settings.readers)
    yield from ((f"readers.{name}", READER_TWICE()) for name, count in ids.items() if count > 1)
    points = [point.id for point in draft.catalogue.points]
    for one in settings.readers:
        if one.point not in points:
            yield f"readers.{one.id}.point", NO_POINT(name=one.point, near=closest(one.point, points))
        if one.local_url and not _is_bare(one.local_url, "http", "https"):
            yield f"readers.{one.id}.local_url", NO_LOCAL_ADDRESS(address=one.local_url)
        elif one.local_url.startswith("http://") and urlsplit(one.local_url).hostname not in LOOPBACK:
            yield f"readers.{one.id}.local_url", NO_HTTP_ELSEWHERE()


def _of_service(settings: EidSettings, draft: TenantDraft) -> Iterator[Mistake]:
    service = settings.service
    if service is None:
        if settings.readers and any(form.level for form in applications_of(draft.ctx).forms):
            yield "service", SERVICE_NEEDED()
        return
    for field in ("url", "server_address", "address", "error_address"):
        address = getattr(service, field)
        if (address or field in ("url", "server_address")) and not _is_bare(address, "https"):
            yield f"service.{field}", NO_ADDRESS(address=address)
    for field in ("certificate", "key", "trusted", "authorities"):
        reference = getattr(service, field)
        if not reference and field == "authorities":
            continue
        try:
            tenant_secret(reference, slug=draft.ctx.slug, home=Path())
        except SecretError:
            yield f"service.{field}", NO_SECRET(prefix=tenant_prefix(draft.ctx.slug))


def _is_bare(address: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(address)
        port_fits = parts.port != 0
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment) and address.isprintable()
    return parts.scheme in schemes and bool(parts.hostname) and plain and port_fits and " " not in address
