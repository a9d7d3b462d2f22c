"""Ask OpenID providers: what they say of themselves, their keys, and for whom they vouch.

Every answer has a limit of time and of size, and no redirect is followed: an address that we were not given is not
gone to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from servicepunkt.core.clock import Clock
from servicepunkt.core.openid import model
from servicepunkt.core.openid.model import Login, Metadata, OpenIdRefusedError, OpenIdUnavailableError
from servicepunkt.core.openid.settings import OpenIdSettings

S = TypeVar("S")
DISCOVERY = "/.well-known/openid-configuration"
KEPT = timedelta(hours=1)
#: Between two looks at a provider's keys, however many unknown ones are shown to us.
KEYS_PAUSE = timedelta(minutes=1)
MAX_BYTES = 256 * 1024
MAX_PROVIDERS = 20_000
SECONDS = 5.0
TOTAL_SECONDS = 10.0


class TokenAnswer(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    metadata: Metadata
    keys: KeySet
    at: datetime
    keys_at: datetime


class OpenIdProviders:
    """The providers of all tenants; what they say of themselves is kept for an hour."""

    def __init__(self, clock: Clock, *, seconds: float = SECONDS, total: float = TOTAL_SECONDS) -> None:
        self._clock = clock
        self._timeout = httpx.Timeout(seconds)
        self._total = total
        self._known: dict[str, Known] = {}

    async def metadata(self, issuer: str, *, loopback: bool) -> Metadata:
        """What the provider says of itself. `loopback`: http will do. Raises OpenIdUnavailableError."""
        return (await self._look(issuer, loopback=loopback)).metadata

    async def _look(self, issuer: str, *, loopback: bool) -> Known:
        now = self._clock.now()
        kept = self._known.get(issuer)
        if kept is not None and now - kept.at < KEPT:
            # Kept when http would do; a tenant that has gone live since must not be served from that.
            model.check_metadata(kept.metadata, issuer, loopback=loopback)
            return kept
        metadata = await self._get(issuer.rstrip("/") + DISCOVERY, Metadata)
        model.check_metadata(metadata, issuer, loopback=loopback)
        known = Known(metadata=metadata, keys=await self._keys(metadata), at=now, keys_at=now)
        if len(self._known) >= MAX_PROVIDERS:
            self._known.clear()
        self._known[issuer] = known
        return known

    async def claims(
        self, settings: OpenIdSettings, secret: str, login: Login, *, code: str, redirect: str, loopback: bool
    ) -> dict[str, Any]:
        """Exchange the code, believe the ID token, and ask for what it leaves out.

        Raises OpenIdUnavailableError and OpenIdRefusedError.
        """
        known = await self._look(settings.issuer, loopback=loopback)
        answer = await self._exchange(known.metadata, settings, secret, code, login.verifier, redirect)
        known = await self._with_key(known, answer.id_token)
        claims: dict[str, Any] = model.believed_claims(answer.id_token, known.keys, settings, login, self._clock.now())
        wanted = (settings.name, settings.roles_claim, settings.person)
        if known.metadata.userinfo_endpoint and any(model.claim(claims, name) is None for name in wanted):
            said = await self._userinfo(known.metadata, answer.access_token, claims)
            # A claim may lie in a table of which the ID token holds another part.
            missing = {name.partition(".")[0] for name in wanted if model.claim(claims, name) is None}
            claims = said | {name: value for name, value in claims.items() if name not in missing or name not in said}
        return claims

    async def _with_key(self, known: Known, id_token: str) -> Known:
        """With the provider's newest keys where the token names one that we do not know."""
        now = self._clock.now()
        if model.knows_key(known.keys, id_token) or now - known.keys_at < KEYS_PAUSE:
            return known
        # Written down first: a provider that is down is not asked more often either.
        issuer = known.metadata.issuer
        self._known[issuer] = msgspec.structs.replace(known, keys_at=now)
        renewed = msgspec.structs.replace(known, keys=await self._keys(known.metadata), keys_at=now)
        self._known[issuer] = renewed
        return renewed

    async def _keys(self, metadata: Metadata) -> KeySet:
        try:
            return KeySet.import_key_set(await self._get(metadata.jwks_uri, dict))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError):
            raise OpenIdUnavailableError("its keys cannot be read") from None

    async def _exchange(
        self, metadata: Metadata, settings: OpenIdSettings, secret: str, code: str, verifier: str, redirect: str
    ) -> TokenAnswer:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        client = (settings.client_id, secret)
        auth = None
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # Both are form-encoded before they are joined (RFC 6749, 2.3.1).
            auth = httpx.BasicAuth(*(quote(one, safe="") for one in client))
        else:
            form |= {"client_id": settings.client_id, "client_secret": secret}
        status, body = await self._ask("POST", metadata.token_endpoint, data=form, auth=auth)
        if 400 <= status < 500:
            raise OpenIdRefusedError("code")
        return _read(status, body, TokenAnswer)

    async def _userinfo(self, metadata: Metadata, access_token: str, claims: Mapping[str, Any]) -> dict[str, Any]:
        """More claims of the same person (OpenID Connect Core 1.0, 5.3.2)."""
        headers = {"authorization": f"Bearer {access_token}"}
        found: dict[str, Any] = await self._get(metadata.userinfo_endpoint, dict, headers=headers)
        if found.get("sub") != claims["sub"]:
            raise OpenIdRefusedError("sub of the user's claims")
        return found

    async def _get(self, address: str, kind: type[S], *, headers: Mapping[str, str] | None = None) -> S:
        return _read(*await self._ask("GET", address, headers=headers), kind)

    async def _ask(self, verb: str, address: str, **options: Any) -> tuple[int, bytes]:
        """(status, body). Raises OpenIdUnavailableError."""
        try:
            async with (
                asyncio.timeout(self._total),
                httpx.AsyncClient(timeout=self._timeout, follow_redirects=False) as client,
                client.stream(verb, address, **options) as answer,
            ):
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise OpenIdUnavailableError("its answer is too large")
                return answer.status_code, body
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise OpenIdUnavailableError(type(error).__name__) from None


def _read(status: int, body: bytes, kind: type[S]) -> S:
    if status != 200:
        raise OpenIdUnavailableError(f"it answers {status}")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise OpenIdUnavailableError("its answer cannot be read") from None
