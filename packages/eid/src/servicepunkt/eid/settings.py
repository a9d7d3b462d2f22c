"""Section [eid] of a tenant file: readers, the eID service that the town buys, the wallet's certificate. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servicepunkt.core.applications.settings import SECTION as APPLICATIONS
from servicepunkt.core.applications.settings import ApplicationSettings
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.errors import SecretError
from servicepunkt.core.identification import ATTRIBUTES
from servicepunkt.core.rules import Broken, rule
from servicepunkt.core.secrets import tenant_prefix, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.wallet.attributes import PID

SECTION = "eid"
Mistake = tuple[str, Broken]
Reference = Annotated[str, Meta(min_length=1, max_length=200)]
Format = Literal["dc+sd-jwt", "mso_mdoc"]
CBOR_FORMAT: Format = "mso_mdoc"

NO_REFERENCE = rule(
    "SP4441",
    "what wallets need is written as env:{prefix}NAME or file:NAME",
    "The key itself never stands in a file of a tenant.",
)
FORMATS = rule("SP4442", "the formats name none, or one of them twice", "Leave `formats` out to ask for both.")
NO_CBOR = rule("SP4443", "mso_mdoc needs a library that is not installed", "Install servicepunkt-eid[wallet].")
TAKEN_SCHEME = rule("SP4444", "{scheme!r} opens no wallet", "Leave `scheme` out; openid4vp is the standard's own.")
NOT_IN_PID = rule(
    "SP4445",
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
    wallet: WalletSettings | None = None
    help_phone: Annotated[str, Meta(max_length=40)] = ""

    def reader(self, reader_id: str) -> ReaderSettings | None:
        return next((one for one in self.readers if one.id == reader_id), None)


def settings_of(ctx: TenantContext) -> EidSettings:
    return ctx.section(SECTION, EidSettings)


def mistakes(draft: TenantDraft) -> list[Mistake]:
    """What a schema cannot see, as (place within the section, broken rule)."""
    wallet = settings_of(draft.ctx).wallet
    if wallet is None:
        return []
    own = [(f"wallet.{place}", said) for place, said in _of_wallet(wallet, draft.ctx.slug)]
    return [*own, *(("wallet", said) for said in _of_forms(draft.ctx, wallet))]


def _of_forms(ctx: TenantContext, wallet: WalletSettings) -> Iterator[Broken]:
    for form in ctx.section(APPLICATIONS, ApplicationSettings).forms:
        needed, _ = form.asked(ATTRIBUTES)
        lacking = [*(name for name in needed if name not in PID), *(["community"] if form.community else [])]
        if 0 < form.level <= wallet.level and lacking:
            yield NOT_IN_PID(service=form.service, names=", ".join(lacking))


def _of_wallet(wallet: WalletSettings, slug: str) -> Iterator[Mistake]:
    for place in ("certificate", "key", "trust"):
        try:
            tenant_secret(getattr(wallet, place), slug=slug, home=Path())
        except SecretError:
            yield place, NO_REFERENCE(prefix=tenant_prefix(slug))
    if not wallet.formats or len(set(wallet.formats)) < len(wallet.formats):
        yield "formats", FORMATS()
    if CBOR_FORMAT in wallet.formats and find_spec("cbor2") is None:
        yield "formats", NO_CBOR()
    if wallet.scheme in OTHER_SCHEMES:
        yield "scheme", TAKEN_SCHEME(scheme=wallet.scheme)
