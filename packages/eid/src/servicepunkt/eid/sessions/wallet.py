"""The wallet's door: what a page shows, what the wallet fetches and sends, each step in whichever process it comes to.

Every step holds the row; nothing is open in the database while an answer is checked, which may fetch a status list.
Whatever is refused ends the identification with a code that its page shows.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import structlog

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.identification import Identified, IdentityWish
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.errors import EidError, error_of
from servicepunkt.eid.model import Identity
from servicepunkt.eid.sessions import model, service, store
from servicepunkt.eid.sessions.model import Session, State
from servicepunkt.eid.sessions.party import WalletNotReadyError, verifier_of
from servicepunkt.eid.wallet import request as wallet_request
from servicepunkt.eid.wallet.attributes import PID, Ask
from servicepunkt.eid.wallet.errors import LateError, OtherTerminalError, StatusError, UnknownSessionError, WalletError
from servicepunkt.eid.wallet.verifier import OVER, KeptSession, PresentationSession, Step, Verifier

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.eid.wallet")
DOOR: model.Door = "wallet"
#: The most that a wallet is asked for beside what is needed (`Ask`).
MOST_OPTIONAL = 4
#: For an answer to be checked, its status list included.
CHECK_SECONDS = 8.0
Find = Callable[[Transaction], Awaitable[Session]]


class WalletDoor:
    """Identifying with the PID of a European wallet. `level`: what the town's file says of its issuers."""

    name = DOOR
    title = "With the wallet on your phone"
    text = "You need your phone with the EUDI wallet, and your ID in it."

    def __init__(self, level: int) -> None:
        self.level = level

    async def begin(self, deployment: Deployment, tx: Transaction, wish: IdentityWish) -> str:
        """Raises WalletNotReadyError, and ValueError for what no PID says."""
        ask_of(wish)
        verifier_of(deployment, tx.ctx)
        own = await service.begin(deployment, tx, DOOR, wish, point="")
        return path_of(own)

    async def take(self, deployment: Deployment, tx: Transaction, key: UUID) -> Identified | None:
        return await service.take(deployment, tx, DOOR, key)

    async def forget(self, deployment: Deployment, tx: Transaction, key: UUID) -> None:
        await service.forget(deployment, tx, DOOR, key)


def path_of(own: Session) -> str:
    """Of the page that waits, within the tenant."""
    return f"{'/k' if own.device else ''}/eid/wallet/{own.id}"


def ask_of(wish: IdentityWish) -> Ask:
    """Of what may stay away only what a PID has, and not too much of it. Raises ValueError for what it has to have."""
    if wish.community:
        raise ValueError("a PID does not say in which municipality somebody lives")
    optional = tuple(name for name in wish.optional if name in PID)[:MOST_OPTIONAL]
    return Ask(required=wish.required, optional=optional, age=wish.age)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the door remembers. `is_here`: the wallet is on the device with the page; then the result waits for the
    browser that comes back with a `code`, of which the digest is kept (OpenID4VP §8.2, §13.3)."""

    session: KeptSession
    is_here: bool = False
    code: bytes = b""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page is looked at: a terminal, or a browser with its cookie."""

    device: UUID | None = None
    cookie: str = ""

    @property
    def binding(self) -> str:
        return self.cookie or str(self.device)

    def is_of(self, own: Session) -> bool:
        if own.device or self.device:
            return own.device == self.device
        return not own.binding or hmac.compare_digest(own.binding, model.digest(self.cookie))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows. `code`: what a camera reads, `link`: what opens a wallet on the same device; both empty when
    a wallet has been there."""

    own: Session
    state: State
    code: str = ""
    link: str = ""


async def look(
    deployment: Deployment, ctx: TenantContext, session_id: UUID, place: Place, *, address: str, returned: str = ""
) -> Seen:
    """What the page shows; an answer that waits is taken in. The first browser that looks is the one it is bound to.

    `address`: where wallets find the tenant's `/eid/wallet`. `returned`: the code with which a browser comes back.
    Raises IdentificationGoneError, WalletNotReadyError; OtherTerminalError, which ends it.
    """
    async with _step(deployment, ctx, _by_id(session_id, place)) as (tx, own):
        if own.state in ("refused", "identified"):
            return Seen(own=own, state=own.state)
        verifier = verifier_of(deployment, ctx)
        if own.kept is None:
            kept = await _prepare(deployment, tx, own, place, verifier, address)
        else:
            kept = await service.kept(deployment, tx, own, Kept)
        session = PresentationSession(verifier, kept.session)
        if session.phase == "answered" and kept.is_here and not _is_back(kept, returned):
            return Seen(own=own, state=own.state)
        identity = session.collect(binding=place.binding, now=tx.now())
        if identity is not None:
            await service.found(deployment, tx, own, model.identified(identity, own.asked, DOOR))
            return Seen(own=own, state="identified")
        if own.state == "reading":
            return Seen(own=own, state=own.state)
        link = wallet_request.link(verifier.client, f"{session.request_uri}?{HERE}", verifier.scheme)
        return Seen(own=own, state=own.state, code=session.qr, link=link)


#: The query of a request's address that was opened on the device with the page.
HERE = "here=1"


def _is_back(kept: Kept, returned: str) -> bool:
    return hmac.compare_digest(kept.code, model.digest(returned))


async def _prepare(
    deployment: Deployment, tx: Transaction, own: Session, place: Place, verifier: Verifier, address: str
) -> Kept:
    token = deployment.randomness(32).hex()
    try:
        session = verifier.prepare(
            ask_of(own.asked),
            request_uri=f"{address}/{token}/request",
            response_uri=f"{address}/{token}/response",
            expires=own.ends_at,
            binding=place.binding,
            random=deployment.randomness,
        )
    except ValueError:
        raise WalletNotReadyError("wallets do not come to the address of these pages: it needs https") from None
    binding = b"" if place.device else model.digest(place.cookie)
    ticket = model.digest(token)
    await store.update(tx, own.id, ticket=ticket, ticket_until=own.ends_at, binding=binding)
    return await _keep(deployment, tx, own, Kept(session=session.kept()))


async def request_for(
    deployment: Deployment, ctx: TenantContext, token: str, *, body: bytes | None, is_here: bool
) -> str:
    """The signed request, for the first wallet that asks. `body`: of a POST.

    Raises UnknownSessionError, LateError, FetchedError, MalformedError, WalletNotReadyError.
    """
    async with _step(deployment, ctx, _by_token(token)) as (tx, own):
        kept, session = await _session(deployment, tx, own, "fetch")
        nonce = None if body is None else wallet_request.wallet_nonce(body)
        signed = session.request_object(now=tx.now(), wallet_nonce=nonce)
        await service.go(tx, own)
        await _keep(deployment, tx, own, msgspec.structs.replace(kept, session=session.kept(), is_here=is_here))
    return signed


async def receive(deployment: Deployment, ctx: TenantContext, token: str, body: bytes) -> str:
    """The wallet's answer. Returns the path at which the person goes on on the device with the wallet, or nothing.

    Raises what refuses an answer (`wallet.errors`), MalformedError, WalletNotReadyError.
    """
    async with _step(deployment, ctx, _by_token(token)) as (tx, own):
        kept, session = await _session(deployment, tx, own, "answer")
        session.answer(now=tx.now())
        await _keep(deployment, tx, own, msgspec.structs.replace(kept, session=session.kept()))
    found = await _checked(session, body, deployment.clock.now())
    async with _step(deployment, ctx, _by_token(token)) as (tx, own):
        if isinstance(found, EidError):
            raise found
        kept, session = await _session(deployment, tx, own, "answer")
        session.accept(found, now=tx.now())
        code = deployment.randomness(32).hex() if kept.is_here else ""
        digest = model.digest(code)
        await _keep(deployment, tx, own, msgspec.structs.replace(kept, session=session.kept(), code=digest))
    return f"{path_of(own)}?returned={code}" if code else ""


async def _checked(session: PresentationSession, body: bytes, now: datetime) -> Identity | EidError:
    """In a thread: checking takes milliseconds of a processor, and fetching a list may take seconds."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await asyncio.to_thread(session.check, body, now=now)
    except EidError as error:
        return error
    except TimeoutError:
        return StatusError(why="out of reach")
    except Exception as error:  # noqa: BLE001 - nobody may be left waiting for a fault of ours
        # Its kind alone: what it says may quote the answer.
        log.error("wallet_check_failed", error=type(error).__name__)
        return WalletError()


async def cancel(deployment: Deployment, ctx: TenantContext, session_id: UUID, place: Place) -> str:
    """Somebody chooses another way. Returns the path to who has asked. Raises as `look`."""
    async with _step(deployment, ctx, _by_id(session_id, place)) as (tx, own):
        await service.end(deployment, tx, own, "cancelled")
    return own.way_back


async def again(deployment: Deployment, ctx: TenantContext, session_id: UUID, place: Place) -> str:
    """Begin anew with the same wish. Returns the path of the page. Raises as `look`."""
    async with _step(deployment, ctx, _by_id(session_id, place)) as (tx, own):
        return path_of(await service.begin(deployment, tx, DOOR, own.asked, point=own.point))


# --- parts ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _step(
    deployment: Deployment, ctx: TenantContext, find: tuple[Find, Place | None]
) -> AsyncIterator[tuple[Transaction, Session]]:
    """A transaction that holds the row. What is refused within undoes the step, ends the identification, goes on up."""
    refused: EidError | None = None
    load, place = find
    async with deployment.database.tenant(ctx) as tx:
        own = await load(tx)
        try:
            async with tx.connection.begin_nested():
                if place is None:
                    _check_open(own, tx.now())
                elif not place.is_of(own):
                    raise OtherTerminalError
                yield tx, own
        except EidError as error:
            refused = error
            if own.state != "refused":
                await service.refuse(deployment, tx, own, error.code)
    if refused is not None:
        raise refused


def _check_open(own: Session, now: datetime) -> None:
    """Raises what has ended it; LateError."""
    if own.state == "refused":
        raise error_of(own.refused_by)
    if not own.is_live(now):
        raise LateError


def _by_id(session_id: UUID, place: Place) -> tuple[Find, Place]:
    async def find(tx: Transaction) -> Session:
        return await service.shown(tx, session_id, DOOR)

    return find, place


def _by_token(token: str) -> tuple[Find, None]:
    async def find(tx: Transaction) -> Session:
        own = await store.by_ticket(tx, model.digest(token))
        if own is None or own.door != DOOR:
            raise UnknownSessionError
        return own

    return find, None


async def _session(
    deployment: Deployment, tx: Transaction, own: Session, step: Step
) -> tuple[Kept, PresentationSession]:
    if own.kept is None:  # its result was taken in
        raise OVER["collected", step]
    kept = await service.kept(deployment, tx, own, Kept)
    return kept, PresentationSession(verifier_of(deployment, tx.ctx), kept.session)


async def _keep(deployment: Deployment, tx: Transaction, own: Session, kept: Kept) -> Kept:
    await service.keep(deployment, tx, own, kept)
    return kept
