"""Section [eid] of a tenant file: readers, the eID service that the town buys, the wallet's certificate. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from servicepunkt.core.applications.settings import settings_of as applications_of
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.errors import SecretError
from servicepunkt.core.identification import ATTRIBUTES
from servicepunkt.core.rules import Broken, closest, rule
from servicepunkt.core.secrets import tenant_prefix, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.wallet.attributes import PID

SECTION = "eid"
Mistake = tuple[str, Broken]
Address = Annotated[str, Meta(max_length=200)]
Reference = Annotated[str, Meta(max_length=200)]
Format = Literal["dc+sd-jwt", "mso_mdoc"]
CBOR_FORMAT: Format = "mso_mdoc"

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
REFERENCES = ("env:", "file:")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
FORMATS = rule("SP4441", "the formats name none, or one of them twice", "Leave `formats` out to ask for both.")
NO_CBOR = rule("SP4442", "mso_mdoc needs a library that is not installed", "Install servicepunkt-eid[wallet].")
TAKEN_SCHEME = rule("SP4443", "{scheme!r} opens no wallet", "Leave `scheme` out; openid4vp is the standard's own.")
NOT_IN_PID = rule(
    "SP4431",
    "a wallet does not say what the form for {service!r} needs: {names}",
    "There people identify by another door.",
    warns=True,
)
#: What every telephone opens with something else than a wallet.
OTHER_SCHEMES = frozenset(
    {"about", "blob", "data", "file", "ftp", "http", "https", "javascript", "mailto", "sms", "tel"}
)


class ReaderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card reader with its controller. `local_url`: where the controller's pages are, as the terminal's browser
    calls them; the controller says it itself when it is enrolled."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
    point: str
    local_url: Annotated[str, Meta(max_length=200)] = ""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The eID service that the town buys (TR-03130).

    `url`: where it is asked for sessions and results. `server_address`: where people's AusweisApp goes (PAOS). Both may
    be references, too, where each installation has another service.
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


class WalletSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The town as wallets know it. `certificate` (PEM, with those above it but for the root), `key` (PEM) and `trust`
    (certificates of PID issuers in PEM, or a list in JSON) are references.

    `prefix`: how wallets recognise the certificate. `level`: what an identification counts for: a wallet and its PID
    are issued at level high, 3 (Regulation (EU) 910/2014, article 5a (11)); issuers of a trial prove less.
    """

    certificate: Reference
    key: Reference
    trust: Reference
    prefix: Literal["x509_hash", "x509_san_dns"] = "x509_hash"
    formats: tuple[Format, ...] = ("dc+sd-jwt", "mso_mdoc")
    level: Literal[1, 2, 3] = 3
    scheme: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+.-]{1,29}\Z")] = "openid4vp"


class EidSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`help_phone`: whom to call for a lost PIN or card, as it is shown. `wallet`: without it nobody identifies so."""

    readers: tuple[ReaderSettings, ...] = ()
    service: ServiceSettings | None = None
    wallet: WalletSettings | None = None
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
    own = [*_of_readers(settings, draft), *_of_service(settings, draft)]
    return [*own, *_of_wallet(settings.wallet, draft.ctx), *_of_forms(settings.wallet, draft.ctx)]


def _of_forms(wallet: WalletSettings | None, ctx: TenantContext) -> Iterator[Mistake]:
    for form in applications_of(ctx).forms if wallet else ():
        needed, _ = form.asked(ATTRIBUTES)
        lacking = [name for name in needed if name not in PID] + ["community"] * bool(form.community)
        if wallet and 0 < form.level <= wallet.level and lacking:
            yield "wallet", NOT_IN_PID(service=form.service, names=", ".join(lacking))


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
    references = {field: getattr(service, field) for field in ("certificate", "key", "trusted", "authorities")}
    if not service.authorities:
        del references["authorities"]
    for field in ("url", "server_address", "address", "error_address"):
        address = getattr(service, field)
        if field in ("url", "server_address") and address.startswith(REFERENCES):
            references[field] = address
        elif (address or field in ("url", "server_address")) and not _is_bare(address, "https"):
            yield f"service.{field}", NO_ADDRESS(address=address)
    yield from _of_secrets("service", references, draft.ctx.slug)


def _of_wallet(wallet: WalletSettings | None, ctx: TenantContext) -> Iterator[Mistake]:
    if wallet is None:
        return
    references = {field: getattr(wallet, field) for field in ("certificate", "key", "trust")}
    yield from _of_secrets("wallet", references, ctx.slug)
    if not wallet.formats or len(set(wallet.formats)) < len(wallet.formats):
        yield "wallet.formats", FORMATS()
    if CBOR_FORMAT in wallet.formats and find_spec("cbor2") is None:
        yield "wallet.formats", NO_CBOR()
    if wallet.scheme in OTHER_SCHEMES:
        yield "wallet.scheme", TAKEN_SCHEME(scheme=wallet.scheme)


def _of_secrets(place: str, references: Mapping[str, str], slug: str) -> Iterator[Mistake]:
    for field, reference in references.items():
        try:
            tenant_secret(reference, slug=slug, home=Path())
        except SecretError:
            yield f"{place}.{field}", NO_SECRET(prefix=tenant_prefix(slug))


def _is_bare(address: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(address)
        port_fits = parts.port != 0
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment) and address.isprintable()
    return parts.scheme in schemes and bool(parts.hostname) and plain and port_fits and " " not in address
