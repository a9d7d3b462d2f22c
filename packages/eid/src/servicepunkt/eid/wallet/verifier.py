"""The verifier at a terminal: sessions from the code on the screen to an identity, once each. No input or output.

    session = verifier.begin(ask, now=now, binding=cookie, random=token_bytes)    # show session.qr
    token = verifier.request(request_id, now=now)                                 # the wallet gets it
    verifier.receive(response_id, body, now=now)                                  # the wallet answers
    identity = verifier.collect(session.id, binding=cookie, now=now)              # the terminal takes it

`STEPS` is the whole order of things. Whatever is refused ends its session, and nothing of it is kept: the terminal
learns the code of the error and begins anew. A verifier keeps its sessions in one process; threads may share it, so
that a slow status list need not hold up anybody else. Several processes keep sessions themselves: `Verifier.prepare`
makes one, `PresentationSession.kept` is what to seal and store between two steps, and with it another process goes on.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from importlib.util import find_spec
from threading import Lock
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Answers, Attributes, Identity, Level, Masked
from servicepunkt.eid.wallet import attributes, jose, jwe, request, sdjwt
from servicepunkt.eid.wallet.attributes import Ask
from servicepunkt.eid.wallet.dcql import MDOC, SD_JWT, CredentialQuery, check_claims, pid_query
from servicepunkt.eid.wallet.errors import (
    AnsweredError,
    AnswerError,
    DeclinedError,
    FetchedError,
    LateError,
    OtherTerminalError,
    OutOfOrderError,
    StatusError,
    TooManySessionsError,
    UnknownSessionError,
    WalletError,
    WrongStateError,
)
from servicepunkt.eid.wallet.request import Client, RequestObject, ResponseMode
from servicepunkt.eid.wallet.status import StatusLists, StatusReference
from servicepunkt.eid.wallet.trust import TrustAnchors

#: So many bytes of randomness.
Random = Callable[[int], bytes]
Phase = Literal["shown", "fetched", "checking", "answered", "collected", "ended"]
Step = Literal["fetch", "answer", "accept", "collect"]

#: From which phase a step leads where. From each but the last two, `end` leads to "ended".
STEPS: Mapping[tuple[Phase, Step], Phase] = {
    ("shown", "fetch"): "fetched",
    ("fetched", "answer"): "checking",
    ("checking", "accept"): "answered",
    ("answered", "collect"): "collected",
}
#: What a step is told that comes when it is over. Another one comes too early.
OVER: Mapping[tuple[Phase, Step], type[WalletError]] = {
    ("fetched", "fetch"): FetchedError,
    ("checking", "fetch"): FetchedError,
    ("answered", "fetch"): FetchedError,
    ("collected", "fetch"): FetchedError,
    ("checking", "answer"): AnsweredError,
    ("answered", "answer"): AnsweredError,
    ("collected", "answer"): AnsweredError,
    ("collected", "collect"): AnsweredError,
}
TTL = timedelta(minutes=5)
#: How long the end of a session is remembered, so that who comes late hears why.
REMEMBERED = timedelta(minutes=10)
MOST_SESSIONS = 1_000
_P256 = ec.SECP256R1()
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class KeptSession(Masked, frozen=True, kw_only=True):
    """All of a session that goes on: secret, since it decrypts the answer, and personal once that was given.

    `binding`: the digest of what only the terminal's own session knows. `key`: the number of the private key for the
    answer; empty with `direct_post`, and when nothing is left to decrypt.
    """

    id: str
    request_uri: str
    response_uri: str
    nonce: str
    state: str
    binding: bytes
    key: bytes = b""
    phase: Phase = "shown"
    expires: datetime
    ask: Ask
    identity: Identity | None = None


class PresentationSession:
    """One request: shown at one terminal, for one wallet, answered once. Made by `Verifier.begin`, or from what was
    kept of it."""

    def __init__(self, verifier: Verifier, kept: KeptSession) -> None:
        self.id, self.request_uri, self.response_uri = kept.id, kept.request_uri, kept.response_uri
        self.phase: Phase = kept.phase
        self.expires = kept.expires
        self.ask = kept.ask
        self.ended_by: EidError | None = None
        #: What the code on the screen says.
        self.qr = request.link(verifier.client, kept.request_uri, verifier.scheme)
        self._lock = Lock()
        self._binding = kept.binding
        self._verifier = verifier
        self._key = ec.derive_private_key(int.from_bytes(kept.key), _P256) if kept.key else None
        self._request: RequestObject | None = None
        if kept.nonce:
            self._request = RequestObject(
                query=pid_query(kept.ask, verifier.formats),
                nonce=kept.nonce,
                state=kept.state,
                response_uri=kept.response_uri,
                expires=kept.expires,
                key=None if self._key is None else self._key.public_key(),
                kid=kept.nonce[:8],
            )
        self._identity = kept.identity

    @property
    def request_id(self) -> str:
        return self.request_uri.rpartition("/")[2]

    @property
    def response_id(self) -> str:
        return self.response_uri.rpartition("/")[2]

    def kept(self) -> KeptSession:
        """What another process needs to go on. Raises ValueError for a session that is over."""
        if self.phase in ("collected", "ended"):
            raise ValueError(f"nothing is kept of a session that is {self.phase}")
        asked, key = self._request, self._key
        return KeptSession(
            id=self.id,
            request_uri=self.request_uri,
            response_uri=self.response_uri,
            nonce="" if asked is None else asked.nonce,
            state="" if asked is None else asked.state,
            binding=self._binding,
            key=b"" if key is None else key.private_numbers().private_value.to_bytes(32),
            phase=self.phase,
            expires=self.expires,
            ask=self.ask,
            identity=self._identity,
        )

    def __repr__(self) -> str:
        return f"PresentationSession(phase={self.phase!r})"

    def request_object(self, *, now: datetime, wallet_nonce: str | None = None) -> str:
        """The signed request, for the first wallet that asks.

        Raises LateError; FetchedError for the second, which ends the session: the code may have been photographed.
        """
        with _Ending(self):
            self._go("fetch", now)
            return self._asked().sign(self._verifier.client, now=now, wallet_nonce=wallet_nonce)

    def receive(self, body: bytes, *, now: datetime) -> None:
        """The wallet's answer, as it was posted. May fetch a status list.

        Raises LateError, AnsweredError, DeclinedError, WrongStateError, and what refuses a presentation.
        """
        self.answer(now=now)
        self.accept(self.check(body, now=now), now=now)

    def answer(self, *, now: datetime) -> None:
        """An answer has come: no other one will do. Raises LateError, AnsweredError."""
        with _Ending(self):
            self._go("answer", now)

    def check(self, body: bytes, *, now: datetime) -> Identity:
        """Who shows it in an answer. May fetch a status list; moves nothing, so that nobody waits for it meanwhile.

        Raises DeclinedError, WrongStateError, and what refuses a presentation.
        """
        with _Ending(self):
            return self._identify(self._parameters(body), now)

    def accept(self, identity: Identity, *, now: datetime) -> None:
        """What `check` has found waits for the terminal. Raises LateError, and what ended the session meanwhile."""
        with _Ending(self):
            self._go("accept", now)
            self._request = self._key = None
            self._identity = identity

    def collect(self, *, binding: str, now: datetime) -> Identity | None:
        """The identity, once, for the terminal that began; None while the wallet has not answered.

        Raises OtherTerminalError, which ends the session; LateError; AnsweredError for a second time; and what ended
        the session before.
        """
        with _Ending(self):
            if not hmac.compare_digest(_digest(binding), self._binding):
                raise OtherTerminalError
            if self.phase in ("shown", "fetched", "checking") and now <= self.expires:
                return None
            self._go("collect", now)
            identity, self._identity = self._identity, None
            return identity

    def end(self, error: EidError | None = None) -> None:
        """Forget everything but the error. Does nothing to what was collected or ended before."""
        self._request = self._key = self._identity = None
        if self.phase not in ("collected", "ended"):
            self.phase = "ended"
            # Anew: the one that was raised holds on to everything that was at work.
            self.ended_by = None if error is None else type(error)(**error.details)

    def _go(self, step: Step, now: datetime) -> None:
        with self._lock:
            if self.phase == "ended":
                raise self._told()
            if (self.phase, step) in OVER:
                raise OVER[self.phase, step]
            if now > self.expires:
                raise LateError
            if (self.phase, step) not in STEPS:
                raise OutOfOrderError(step=step, phase=self.phase)
            self.phase = STEPS[self.phase, step]

    def _told(self) -> EidError:
        error = self.ended_by
        return UnknownSessionError() if error is None else type(error)(**error.details)

    def _asked(self) -> RequestObject:
        if self._request is None:
            raise UnknownSessionError
        return self._request

    def _parameters(self, body: bytes) -> Mapping[str, Any]:
        """The parameters of the answer, decrypted, of this session (§8.2, §8.3)."""
        fields: Mapping[str, Any] = request.read_form(body, "answer")
        if self._key is not None and "response" in fields:
            plain = jwe.decrypt(fields["response"], self._key, self._asked().kid)
            fields = jose.read_object(plain, "answer", request.MOST_FORM_BYTES)
        elif self._key is not None and "error" not in fields:
            raise AnswerError(what="an answer that is not encrypted")
        state = fields.get("state")
        if not isinstance(state, str) or not hmac.compare_digest(state.encode(errors="replace"), self._state()):
            raise WrongStateError
        if "error" in fields:
            raise DeclinedError(error=_error_code(fields["error"]))
        return fields

    def _state(self) -> bytes:
        return self._asked().state.encode()

    def _identify(self, parameters: Mapping[str, Any], now: datetime) -> Identity:
        asked, verifier = self._asked(), self._verifier
        shown = request.vp_token(parameters)
        asked.query.check_answered(shown)
        by_id = {one.id: one for one in asked.query.credentials}
        # One document is enough: where a wallet sends both, the first of the query counts.
        name = next(name for name in by_id if name in shown)
        found, answers, status = verifier.read(by_id[name], shown[name], asked, self.ask, now)
        verifier.check_status(status, now)
        return Identity(
            origin="wallet",
            level=verifier.level,
            at=now,
            proof=f"sha256:{hashlib.sha256(shown[name].encode()).hexdigest()}",
            attributes=found,
            answers=answers,
        )


def _digest(binding: str) -> bytes:
    return hashlib.sha256(binding.encode()).digest()


class _Ending:
    """Ends a session with whatever is raised while one of its steps runs."""

    def __init__(self, session: PresentationSession) -> None:
        self._session = session

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._session.end(error if isinstance(error, EidError) else WalletError())


def _error_code(value: object) -> str:
    """One of the standard's words, or none: a wallet may say anything here."""
    return value if isinstance(value, str) and value in ERROR_CODES else "other"


#: §8.5, and RFC 6749 §4.1.2.1.
ERROR_CODES = frozenset({
    "access_denied", "invalid_client", "invalid_request", "invalid_request_uri_method", "invalid_scope",
    "invalid_transaction_data", "server_error", "temporarily_unavailable", "unauthorized_client",
    "unsupported_response_type", "vp_formats_not_supported", "wallet_unavailable",
})  # fmt: skip


class Verifier:
    """Who asks, whom he believes, and the sessions that are open."""

    def __init__(
        self,
        *,
        client: Client,
        anchors: TrustAnchors,
        address: str = "",
        statuses: StatusLists | None = None,
        formats: Collection[str] = (SD_JWT, MDOC),
        level: Level = Level.HIGH,
        ttl: timedelta = TTL,
        scheme: str = "openid4vp",
        mode: ResponseMode = "direct_post.jwt",
    ) -> None:
        """`address`: where the wallet finds `/request/<id>` and `/response/<id>`, https without a slash at its end;
        whoever only prepares sessions leaves it out.

        `statuses`: without them a document that could be revoked is refused. `level`: of whoever the anchors issue to.
        `formats`: `mso_mdoc` needs the extra `[wallet]`. Raises ValueError.
        """
        if MDOC in formats and find_spec("cbor2") is None:
            raise ValueError("mso_mdoc needs servicepunkt-eid[wallet]")
        if address:
            client.check_address(address)
        self.client, self.anchors, self.address, self.statuses = client, anchors, address, statuses
        self.formats, self.level, self.ttl, self.scheme, self.mode = tuple(formats), level, ttl, scheme, mode
        self._sessions: dict[str, PresentationSession] = {}

    def begin(self, ask: Ask, *, now: datetime, binding: str, random: Random) -> PresentationSession:
        """A new session. `binding`: what only the terminal's own session knows, and what collects the result.

        Raises TooManySessionsError.
        """
        self.sweep(now)
        if len(self._sessions) >= MOST_SESSIONS:
            raise TooManySessionsError
        request_id, response_id = jose.encode64(random(32)), jose.encode64(random(32))
        session = self.prepare(
            ask,
            request_uri=f"{self.address}/request/{request_id}",
            response_uri=f"{self.address}/response/{response_id}",
            expires=now + self.ttl,
            binding=binding,
            random=random,
        )
        self._sessions[session.id] = session
        return session

    def prepare(
        self, ask: Ask, *, request_uri: str, response_uri: str, expires: datetime, binding: str, random: Random
    ) -> PresentationSession:
        """A session that somebody else keeps; its addresses have to be those of the wallet's two calls.

        Raises ValueError for addresses that are not the client's.
        """
        for uri in (request_uri, response_uri):
            self.client.check_address(uri.partition("?")[0])
        own_id, nonce, state = (jose.encode64(random(32)) for _ in range(3))
        key = b""
        if self.mode == "direct_post.jwt":
            # 40 bytes, so that the remainder is as good as even over all keys.
            key = (int.from_bytes(random(40)) % (_P256_ORDER - 1) + 1).to_bytes(32)
        kept = KeptSession(
            id=own_id,
            request_uri=request_uri,
            response_uri=response_uri,
            nonce=nonce,
            state=state,
            binding=_digest(binding),
            key=key,
            expires=expires,
            ask=ask,
        )
        return PresentationSession(self, kept)

    def request(self, request_id: str, *, now: datetime, body: bytes | None = None) -> str:
        """The request object for a wallet (media type `request.MEDIA_TYPE`). `body`: of a POST, None for GET.

        Raises UnknownSessionError and what `PresentationSession.request_object` raises.
        """
        session = self._find("request_id", request_id)
        with _Ending(session):
            nonce = None if body is None else request.wallet_nonce(body)
        return session.request_object(now=now, wallet_nonce=nonce)

    def receive(self, response_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
        """An answer. Returns the JSON object that the wallet gets: nothing, the person looks at the terminal.

        Raises UnknownSessionError and what `PresentationSession.receive` raises.
        """
        self._find("response_id", response_id).receive(body, now=now)
        return {}

    def collect(self, session_id: str, *, binding: str, now: datetime) -> Identity | None:
        """The identity for the terminal, once; None as long as there is none. As `PresentationSession.collect`."""
        return self._find("id", session_id).collect(binding=binding, now=now)

    def cancel(self, session_id: str) -> None:
        """Somebody went away from the terminal: nothing is kept. Does nothing for one that is not there."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            session.end()

    def _find(self, name: str, value: str) -> PresentationSession:
        wanted = value.encode(errors="replace")
        for session in list(self._sessions.values()):
            if hmac.compare_digest(getattr(session, name).encode(), wanted):
                return session
        raise UnknownSessionError

    def sweep(self, now: datetime) -> None:
        """End what is late; `begin` does it, too. A clock that calls it sees that no result lies about."""
        for session in list(self._sessions.values()):
            if now > session.expires:
                session.end(LateError())
            if now > session.expires + REMEMBERED:
                self._sessions.pop(session.id, None)

    def read(
        self, query: CredentialQuery, shown: str, asked: RequestObject, ask: Ask, now: datetime
    ) -> tuple[Attributes, Answers, StatusReference | None]:
        """What a presentation says, once it is verified."""
        if query.format == SD_JWT:
            token = sdjwt.verify(
                shown,
                anchors=self.anchors,
                vct=query.meta["vct_values"],
                audience=self.client.id,
                nonce=asked.nonce,
                now=now,
            )
            check_claims(query, token.claims)
            return *attributes.from_sdjwt(token.claims, ask, now.date()), token.status
        # The extra is needed for this format only.
        from servicepunkt.eid.wallet import mdoc

        document = mdoc.verify(
            jose.decode64(shown, "mdoc"),
            anchors=self.anchors,
            doctype=query.meta["doctype_value"],
            transcript=mdoc.session_transcript(self.client.id, asked.nonce, asked.thumbprint, asked.response_uri),
            now=now,
        )
        check_claims(query, document.claims)
        return *attributes.from_mdoc(document.claims, ask, now.date()), document.status

    def check_status(self, status: StatusReference | None, now: datetime) -> None:
        """Raises RevokedError, StatusError."""
        if status is None:
            return
        if self.statuses is None:
            raise StatusError(why="no status lists are set up")
        self.statuses.check(status, now)
