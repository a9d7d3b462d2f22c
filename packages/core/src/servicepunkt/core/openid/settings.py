"""Section [oidc] of a tenant file: who vouches for the tenant's people, and which roles its groups mean. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.errors import SecretError
from servicepunkt.core.people.model import PLATFORM_ROLE, ROLES, UNIT_ROLES, Grant, grant_mistakes, known_units
from servicepunkt.core.rules import Broken, closest, rule
from servicepunkt.core.secrets import tenant_prefix, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext

SECTION = "oidc"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: RFC 6749, 3.3
Scope = Annotated[str, Meta(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,100}\Z")]
#: The name of a claim; dots lead into what a claim holds, as in realm_access.roles.
Claim = Annotated[str, Meta(pattern=r"^[^\x00-\x20]{1,200}\Z")]

NO_ISSUER = rule(
    "SP1321", "{issuer!r} is no issuer", "The issuer is an address without query, exactly as the provider writes it."
)
HTTPS_NEEDED = rule("SP1322", "the issuer has to be https", "http is for a provider on this computer, in a rehearsal.")
NO_SECRET = rule(
    "SP1323",
    "the client's secret is written as env:{prefix}NAME or file:NAME",
    "The secret itself never stands in a file of a tenant.",
)
NO_OPENID = rule("SP1324", "the scopes leave out openid", "Without it the provider names nobody.")
NO_ROLE = rule("SP1325", "{grant!r} is no role that can be given here; known are {known}")
NO_UNIT = rule("SP1326", "there is no {kind} {unit!r}", "Units are the ids of points, hosts and partners of this file.")
NOBODY_IN = rule("SP1327", "no group means a role, so nobody could sign in", "Name groups under [oidc.roles].")
NO_ADMIN_LEFT = rule(
    "SP1328",
    "local accounts are off, and no group means city_admin",
    "Then nobody administers; leave them on, or name a group.",
    warns=True,
)


class OpenIdSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The provider (OpenID Connect Core 1.0), and whom it lets in. `client_secret` is a reference.

    `person` is the claim that names a person for ever, `name` the one for the eye. `roles` says for each value of
    `roles_claim` which roles it means, also `role@unit`. Without `local_accounts` only the provider lets people in.
    """

    issuer: Annotated[str, Meta(min_length=1, max_length=300)]
    client_id: Annotated[str, Meta(min_length=1, max_length=200)]
    client_secret: Annotated[str, Meta(min_length=1, max_length=200)]
    roles: dict[str, tuple[str, ...]]
    scopes: tuple[Scope, ...] = ("openid", "profile")
    person: Claim = "sub"
    name: Claim = "name"
    roles_claim: Claim = "groups"
    local_accounts: bool = True


def openid_of(ctx: TenantContext) -> OpenIdSettings | None:
    """None where the tenant has no provider."""
    found = ctx.settings.get(SECTION)
    return found if isinstance(found, OpenIdSettings) else None


def is_loopback(address: str) -> bool:
    """Whether this is http on this very computer."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def mistakes(draft: TenantDraft) -> list[tuple[str, str]]:
    """What a schema cannot see, as (place within the section, broken rule)."""
    settings = openid_of(draft.ctx)
    if settings is None:
        return []
    return [*_of_client(settings, draft.ctx.slug), *_of_roles(settings, draft.catalogue)]


def _of_client(settings: OpenIdSettings, slug: str) -> Iterator[tuple[str, Broken]]:
    if not _is_address(settings.issuer):
        yield "issuer", NO_ISSUER(issuer=settings.issuer)
    elif not settings.issuer.startswith("https://") and not is_loopback(settings.issuer):
        yield "issuer", HTTPS_NEEDED()
    try:
        tenant_secret(settings.client_secret, slug=slug, home=Path())
    except SecretError:
        yield "client_secret", NO_SECRET(prefix=tenant_prefix(slug))
    if "openid" not in settings.scopes:
        yield "scopes", NO_OPENID()


def _is_address(issuer: str) -> bool:
    try:
        parts = urlsplit(issuer)
        port_fits = parts.port != 0
    except ValueError:
        return False
    bare = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in ("https", "http") and bool(parts.hostname) and bare and port_fits


def _of_roles(settings: OpenIdSettings, catalogue: Catalogue) -> Iterator[tuple[str, Broken]]:
    known = known_units(catalogue)
    givable = ROLES.keys() - {PLATFORM_ROLE}
    for value, grants in settings.roles.items():
        for text in grants:
            grant = Grant.parse(text)
            if grant_mistakes(text) or grant.role == PLATFORM_ROLE:
                yield (
                    f"roles.{value}",
                    NO_ROLE(
                        grant=text,
                        known=", ".join(sorted(givable)),
                        near=closest(grant.role, givable),
                    ),
                )
            elif grant.unit and grant.unit not in known[kind := UNIT_ROLES[grant.role]]:
                yield f"roles.{value}", NO_UNIT(kind=kind, unit=grant.unit, near=closest(grant.unit, known[kind]))
    given = {grant for grants in settings.roles.values() for grant in grants}
    if not given:
        yield "roles", NOBODY_IN()
    elif not settings.local_accounts and "city_admin" not in given:
        yield "roles", NO_ADMIN_LEFT()
