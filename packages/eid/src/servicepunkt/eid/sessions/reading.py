"""A card is read: a reader takes an identification over, the AusweisApp fetches its token, the person comes back.

What the service is asked is asked outside of every transaction; the row's lock says whose turn it is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, SecretError, ServicepunktError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid import wire
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.service import model as answers
from servicepunkt.eid.service.tctoken import tc_token
from servicepunkt.eid.sessions import card, model, service, store
from servicepunkt.eid.sessions.card import MOST_QUESTIONS, NAME, QUESTION, Kept, Trouble
from servicepunkt.eid.sessions.model import IdentificationGoneError, Session, digest
from servicepunkt.eid.sessions.services import Services, address
from servicepunkt.eid.settings import ReaderSettings, settings_of

log = structlog.get_logger("servicepunkt.eid")
#: Whether an identification belongs to whoever asks.
IsOwn = Callable[[Session, Kept], bool]


class ServiceSilentError(ServicepunktError):
    """The eID service opened no session: the AusweisApp is told that there is nothing for it."""

    code = "SP4472"
    status = 503
    citizen = "The service that reads the card does not answer."
    staff = "The eID service opened no session; the log says why."
    next_step = "Please try again, or choose another way."


class Back(msgspec.Struct, frozen=True):
    """Where somebody is who came back: at `path`, whoever has asked; with `trouble`, told of it first. `is_over`:
    there is nothing to try again but to begin anew. Neither: the result is waited for."""

    path: str = ""
    trouble: Trouble | None = None
    is_over: bool = True


def address_of(deployment: Deployment, ctx: TenantContext) -> str:
    """The tenant's public address, as the certificate of the terminal names it."""
    wanted = settings_of(ctx).service
    own = wanted.address.rstrip("/") if wanted else ""
    return own or f"{deployment.settings.public_url.rstrip('/')}/t/{ctx.slug}"


async def _kept(deployment: Deployment, tx: Transaction, own: Session) -> Kept:
    return await service.kept(deployment, tx, own, Kept) if own.kept else Kept()


def _fits(known: bytes, shown: str) -> bool:
    return bool(known) and hmac.compare_digest(known, digest(shown))


# --- to the reader, or to the AusweisApp of one's own ------------------------------------------------------------


async def claim(deployment: Deployment, ctx: TenantContext, reader: ReaderSettings, ticket: str) -> wire.Claimed:
    """A reader takes over what a terminal at its point has sent. Raises IdentificationGoneError."""
    async with deployment.database.tenant(ctx) as tx:
        own = await service.claim(tx, ticket, point=reader.point)
        address = await _new_token(deployment, tx, own, Kept(reader=reader.id))
        return wire.Claimed(
            key=own.id,
            purpose=dict(own.asked.purpose),
            tc_token_url=address,
            back=f"/k/eid/{own.id}/back",
            seconds=int((own.ends_at - tx.now()).total_seconds()),
        )


async def _new_token(deployment: Deployment, tx: Transaction, own: Session, kept: Kept) -> str:
    """Where the TcToken is, once; the address before is void."""
    token = deployment.randomness(32).hex()
    await service.keep(deployment, tx, own, msgspec.structs.replace(kept, token=digest(token)))
    return f"{address_of(deployment, tx.ctx)}/eid/{own.id}/token?token={token}"


async def ended(deployment: Deployment, ctx: TenantContext, reader: ReaderSettings, said: wire.Ended) -> None:
    """Remember how it ended at the reader that has taken it over, until the person comes back.

    Raises IdentificationGoneError.
    """
    async with deployment.database.tenant(ctx) as tx:
        own = await service.live(tx, said.key, NAME)
        kept = await service.kept(deployment, tx, own, Kept)
        if own.point != reader.point or kept.reader != reader.id:
            raise IdentificationGoneError
        await service.keep(deployment, tx, own, msgspec.structs.replace(kept, outcome=said.outcome))


async def at_terminal(deployment: Deployment, ctx: TenantContext, session_id: UUID, device: UUID) -> Session:
    """The identification of a terminal. Raises IdentificationGoneError."""
    async with deployment.database.tenant(ctx) as tx:
        return await _of_terminal(tx, session_id, device)


async def ticket_for(deployment: Deployment, ctx: TenantContext, session_id: UUID, device: UUID) -> str:
    """What the terminal's browser carries to the reader. Raises IdentificationGoneError."""
    async with deployment.database.tenant(ctx) as tx:
        return await service.new_ticket(deployment, tx, await _of_terminal(tx, session_id, device))


async def _of_terminal(tx: Transaction, session_id: UUID, device: UUID) -> Session:
    own = await service.live(tx, session_id, NAME)
    if own.device != device:
        raise IdentificationGoneError
    return own


async def on_web(deployment: Deployment, ctx: TenantContext, session_id: UUID, cookie: str) -> tuple[Session, str, str]:
    """(identification, where its TcToken is, the browser's cookie): the first browser that comes has it from then on.

    The address is empty when it was fetched already. Raises IdentificationGoneError.
    """
    async with deployment.database.tenant(ctx) as tx:
        own = await service.live(tx, session_id, NAME)
        if own.device is not None:
            raise IdentificationGoneError
        if not own.binding:
            cookie = deployment.randomness(32).hex()
            await store.update(tx, own.id, binding=digest(cookie))
        elif not _fits(own.binding, cookie):
            raise IdentificationGoneError
        address = await _new_token(deployment, tx, own, Kept()) if own.state == "open" else ""
    return own, address, cookie


# --- the token ---------------------------------------------------------------------------------------------------


async def token(deployment: Deployment, ctx: TenantContext, services: Services, session_id: UUID, shown: str) -> bytes:
    """The TcToken of a session that is opened for it, once. Raises IdentificationGoneError, ServiceSilentError."""
    wanted = settings_of(ctx).service
    if wanted is None:
        raise NotFoundError
    async with deployment.database.tenant(ctx) as tx:
        own = await service.live(tx, session_id, NAME)
        kept = await _kept(deployment, tx, own)
        if not _fits(kept.token, shown):
            raise IdentificationGoneError
        if own.state == "open":
            own = await service.go(tx, own)
        proof = deployment.randomness(32).hex()
        await service.keep(deployment, tx, own, msgspec.structs.replace(kept, token=b"", proof=digest(proof)))
    try:
        eid_service = await services.of(deployment, ctx)
        opened = await eid_service.open(card.wanted(own.asked, ctx.locale))
    except (EidError, SecretError) as error:
        log.error("eid_service_silent", code=error.code, at="open")
        trouble: Trouble = "rights" if isinstance(error, answers.RightsError) else "silent"
        await _note(deployment, ctx, own.id, trouble=trouble)
        raise ServiceSilentError from None
    await _note(deployment, ctx, own.id, session=opened.id)
    place = "/k/eid" if own.device else "/eid"
    refresh = f"{address_of(deployment, ctx)}{place}/{own.id}/back?proof={proof}"
    return tc_token(
        opened,
        server=address(deployment, ctx, wanted.server_address),
        refresh=refresh,
        error=wanted.error_address or refresh,
        has_psk=wanted.channel == "psk",
    )


async def _note(deployment: Deployment, ctx: TenantContext, session_id: UUID, **changed: object) -> None:
    async with deployment.database.tenant(ctx) as tx:
        own = await service.live(tx, session_id, NAME)
        kept = await service.kept(deployment, tx, own, Kept)
        await service.keep(deployment, tx, own, msgspec.structs.replace(kept, **changed))


# --- back --------------------------------------------------------------------------------------------------------


def of_terminal(device: UUID) -> IsOwn:
    """It is this terminal's."""
    return lambda own, _: own.device == device


def of_browser(cookie: str, proof: str) -> IsOwn:
    """It is this browser's, and the AusweisApp that has read the card has led here.

    Neither alone will do: who sends somebody else the address of a token never sees what that AusweisApp was given.
    """
    return lambda own, kept: (
        own.device is None and _fits(own.binding, cookie) and (own.state == "identified" or _fits(kept.proof, proof))
    )


def of_visitor(cookie: str) -> IsOwn:
    """It is this browser's, which may give it up without the AusweisApp."""
    return lambda own, _: own.device is None and _fits(own.binding, cookie)


async def come_back(
    deployment: Deployment, ctx: TenantContext, services: Services, session_id: UUID, is_own: IsOwn, *, failed: str = ""
) -> Back:
    """Ask the service for the result, and say where the person goes on. Raises IdentificationGoneError.

    `failed`: how the AusweisApp says that it ended, if it did so without success; its word is enough for that alone.
    """
    async with deployment.database.tenant(ctx) as tx:
        own = await service.live(tx, session_id, NAME)
        kept = await _kept(deployment, tx, own)
        if not is_own(own, kept):
            raise IdentificationGoneError
        over = await _over(deployment, tx, own, kept, failed)
        if over is not None:
            return over
        if not kept.session or kept.is_asking(tx.now()):
            return Back()
        counter = kept.counter + 1
        asking = msgspec.structs.replace(kept, counter=counter, asking_until=tx.now() + QUESTION)
        await service.keep(deployment, tx, own, asking)
    return await _ask(deployment, ctx, services, own, asking)


async def _over(deployment: Deployment, tx: Transaction, own: Session, kept: Kept, failed: str) -> Back | None:
    """What is known without a question."""
    if own.state == "identified":
        return Back(own.way_back)
    if kept.outcome:
        # The reader has said why, on its own pages.
        await service.end(deployment, tx, own, kept.outcome)
        return Back(own.way_back)
    if kept.trouble:
        await service.end(deployment, tx, own, "refused")
        return Back(own.way_back, kept.trouble)
    if failed or own.state == "open" or kept.token:
        is_cancelled = not failed or failed.endswith("cancellationByUser")
        await service.end(deployment, tx, own, "cancelled" if is_cancelled else "refused")
        return Back(own.way_back, None if is_cancelled else "failed")
    if kept.counter >= MOST_QUESTIONS:
        await service.end(deployment, tx, own, "refused")
        return Back(own.way_back, "silent")
    return None


async def _ask(deployment: Deployment, ctx: TenantContext, services: Services, own: Session, asking: Kept) -> Back:
    try:
        eid_service = await services.of(deployment, ctx)
        result = await eid_service.numbered(asking.session, asking.counter)
    except answers.NotYetError:
        await _note(deployment, ctx, own.id, asking_until=None)
        return Back()
    except (answers.UnreachableError, SecretError) as error:
        log.error("eid_service_silent", code=error.code, at="result")
        await _note(deployment, ctx, own.id, asking_until=None)
        return Back(own.way_back, "silent", is_over=False)
    except EidError as error:
        log.warning("eid_service_refused", code=error.code)
        return await _refused(
            deployment, ctx, own, "card" if isinstance(error, answers.DocumentRefusedError) else "failed"
        )
    wish, at = own.asked, deployment.clock.now()
    trouble = card.lacks(result, wish)
    if trouble is not None:
        return await _refused(deployment, ctx, own, trouble)
    identity = result.identity(answers.Session(id=asking.session), at)
    async with deployment.database.tenant(ctx) as tx:
        current = await service.live(tx, own.id, NAME)
        await service.found(deployment, tx, current, model.identified(identity, wish, NAME))
    return Back(own.way_back)


async def _refused(deployment: Deployment, ctx: TenantContext, own: Session, trouble: Trouble) -> Back:
    async with deployment.database.tenant(ctx) as tx:
        await service.end(deployment, tx, await service.live(tx, own.id, NAME), "refused")
    return Back(own.way_back, trouble)


async def give_up(deployment: Deployment, ctx: TenantContext, session_id: UUID, is_own: IsOwn) -> str:
    """End it, and say where whoever has asked is. Raises IdentificationGoneError."""
    async with deployment.database.tenant(ctx) as tx:
        own = await service.live(tx, session_id, NAME)
        if not is_own(own, await _kept(deployment, tx, own)):
            raise IdentificationGoneError
        if own.state != "identified":
            await service.end(deployment, tx, own, "cancelled")
    return own.way_back
