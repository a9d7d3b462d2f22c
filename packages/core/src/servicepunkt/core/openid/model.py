"""What is sent to an OpenID provider and when its answers are believed (OpenID Connect Core 1.0, RFC 9700). Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import KeySet

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.openid.settings import OpenIdSettings, is_loopback

#: Signatures by a key that the provider alone has. HS256 is not among them: everybody knows the public key.
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
LEEWAY_SECONDS = 60
#: How old an ID token may be that was fetched a moment ago.
OLDEST_SECONDS = 600
MAX_NAME = 200
MAX_PERSON = 255


class OpenIdUnavailableError(ServicepunktError):
    """The provider does not answer, too slowly, or with something that cannot be read. `reason` says what."""

    code = "SP7020"
    status = 503
    citizen = "The sign-in service of the city does not answer."
    staff = "The OpenID provider does not answer as it should."
    next_step = "Try again in a few minutes. If you have a local account, sign in with its password."

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.staff} ({reason})", reason=reason)


class OpenIdRefusedError(ServicepunktError):
    """The provider said no, or something in its answer is not to be believed. `reason` says what."""

    code = "SP7021"
    status = 403
    citizen = "The sign-in with your account at the city did not work."
    staff = "What came back from the OpenID provider was refused."
    next_step = "Start again. If it happens again, tell your administrator this code."

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.staff} ({reason})", reason=reason)


class NoRoleError(ServicepunktError):
    """The provider vouches for the person, and nobody has given this person a role here."""

    code = "SP7022"
    status = 403
    citizen = "Your account has no role at this service point."
    staff = "The provider knows this person; none of the person's groups means a role here, or the account is off."
    next_step = "Ask your administrator for the role that you need."


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What we need of a discovery document (OpenID Connect Discovery 1.0, 3; RFC 9207, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Every address that we go to, or send a browser to."""
        named = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri)
        return tuple(one for one in (*named, self.userinfo_endpoint, self.end_session_endpoint) if one)


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What we remember while somebody is away at the provider."""

    issuer: str
    state: str
    nonce: str
    verifier: str
    target: str


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser brings back from the provider: parameters of the address."""

    state: str = ""
    code: str = ""
    iss: str = ""
    error: str = ""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """For whom the provider vouches. `key` is a digest: the provider's own name of a person is kept nowhere."""

    key: bytes
    name: str
    roles: tuple[str, ...]


def challenge_of(verifier: str) -> str:
    """The code challenge S256 (RFC 7636, 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def token(random: bytes) -> str:
    return _base64url(random)


def authorization_url(metadata: Metadata, settings: OpenIdSettings, login: Login, redirect: str) -> str:
    """Where the browser goes to sign in (OpenID Connect Core 1.0, 3.1.2.1)."""
    return with_query(
        metadata.authorization_endpoint,
        response_type="code",
        client_id=settings.client_id,
        redirect_uri=redirect,
        scope=" ".join(settings.scopes),
        state=login.state,
        nonce=login.nonce,
        code_challenge=challenge_of(login.verifier),
        code_challenge_method="S256",
    )


def sign_out_url(metadata: Metadata, settings: OpenIdSettings, redirect: str) -> str:
    """Where the browser signs out at the provider, too; empty where it has no such place.

    Without `id_token_hint`: nothing of a person stands in the address (RP-Initiated Logout 1.0, 2).
    """
    if not metadata.end_session_endpoint:
        return ""
    return with_query(metadata.end_session_endpoint, client_id=settings.client_id, post_logout_redirect_uri=redirect)


def with_query(address: str, **values: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(values, quote_via=quote)}"


def check_metadata(metadata: Metadata, issuer: str, *, loopback: bool) -> None:
    """Raises OpenIdUnavailableError unless the document is the issuer's and keeps to https."""
    if metadata.issuer != issuer:
        raise OpenIdUnavailableError("the discovery document is of another issuer")
    if not all(one.startswith("https://") or (loopback and is_loopback(one)) for one in metadata.endpoints):
        raise OpenIdUnavailableError("an endpoint is not https")


def check_returned(returned: Returned, login: Login, metadata: Metadata) -> None:
    """Raises OpenIdRefusedError unless the answer is to this very login, and from its provider (RFC 9207, 2.4)."""
    if not _same(returned.state, login.state):
        raise OpenIdRefusedError("state")
    if (returned.iss or metadata.authorization_response_iss_parameter_supported) and returned.iss != login.issuer:
        raise OpenIdRefusedError("iss of the answer")
    if returned.error or not returned.code:
        raise OpenIdRefusedError("the provider said no")


def knows_key(keys: KeySet, id_token: str) -> bool:
    """Whether the key that signed the token is among `keys`: if not, the provider may have new ones."""
    try:
        _decoded(id_token, keys)
    except InvalidKeyIdError:
        return False
    except (JoseError, ValueError):
        return True
    return True


def _decoded(id_token: str, keys: KeySet) -> dict[str, Any]:
    with warnings.catch_warnings():
        # RFC 9864 prefers the name Ed25519; providers still say EdDSA, and mean the same.
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims


def believed_claims(id_token: str, keys: KeySet, settings: OpenIdSettings, login: Login, now: datetime) -> Any:
    """The claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7). Raises OpenIdRefusedError with what is wrong."""
    seconds = int(now.timestamp())
    try:
        claims = _decoded(id_token, keys)
    except (JoseError, ValueError):
        # The library's sentence could repeat what stands in the token.
        raise OpenIdRefusedError("signature of the ID token") from None
    needed = jwt.JWTClaimsRegistry(
        now=seconds,
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": login.nonce},
    )
    try:
        needed.validate(claims)
    except JoseError as error:
        claim = getattr(error, "claim", "")
        raise OpenIdRefusedError(f"{claim or 'a claim'} of the ID token") from None
    many = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if many else settings.client_id) != settings.client_id:
        raise OpenIdRefusedError("azp of the ID token")
    if claims["iat"] < seconds - OLDEST_SECONDS:
        raise OpenIdRefusedError("iat of the ID token")
    return claims


def person_of(claims: Mapping[str, Any], settings: OpenIdSettings) -> Person:
    """Raises OpenIdRefusedError where nobody is named."""
    named = claim(claims, settings.person)
    if not isinstance(named, str) or not 0 < len(named) <= MAX_PERSON:
        raise OpenIdRefusedError("the claim that names the person")
    name = claim(claims, settings.name)
    shown = "".join(one for one in name if one.isprintable()).strip()[:MAX_NAME] if isinstance(name, str) else ""
    return Person(
        key=hashlib.sha256(f"{settings.issuer}\0{named}".encode()).digest(),
        name=shown,
        roles=roles_of(claim(claims, settings.roles_claim), settings.roles),
    )


def roles_of(values: Any, table: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The roles that a claim means: one value or several; what the table does not name means nothing."""
    given = [values] if isinstance(values, str) else values if isinstance(values, list) else []
    found = [role for value in given if isinstance(value, str) for role in table.get(value, ())]
    return tuple(dict.fromkeys(found))


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, or what stands at the end of its dots: realm_access.roles. None where there is none."""
    found: Any = claims
    if name in claims:
        return claims[name]
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
