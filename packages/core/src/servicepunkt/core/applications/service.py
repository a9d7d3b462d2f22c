"""Begin an application, identify for it, fill it in, submit it once, forward it until it has arrived, erase it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec

from servicepunkt.core import doors
from servicepunkt.core.applications import connectors, model, store
from servicepunkt.core.applications.model import (
    DRAFT,
    WAITING,
    Application,
    ApplicationGoneError,
    ConnectorError,
    Content,
    Form,
    LevelTooLowError,
    NotEntitledError,
    Person,
    Submission,
)
from servicepunkt.core.applications.settings import form_of
from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.identification import ATTRIBUTES, Identified, IdentityWish
from servicepunkt.core.ids import new_id
from servicepunkt.core.jobs import Waits, job
from servicepunkt.core.orders.model import new_reference, read_reference
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

FIELD = "application"
#: Seconds between attempts to forward; from then on the last ones.
PAUSES = (60, 300, 900, 3600, 4 * 3600)


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Who begins: the cookie of a browser's session, the service, where, and in which language. `device`: at which
    terminal; None on the web."""

    cookie: str
    service: str
    point: str
    locale: str
    device: UUID | None = None

    @property
    def session(self) -> bytes:
        return session_of(self.cookie)

    @property
    def place(self) -> Literal["terminal", "web"]:
        return "terminal" if self.device else "web"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An application that is being filled in, opened. `is_identified`: as far as its form needs it."""

    application: Application
    form: Form
    content: Content

    @property
    def given(self) -> Mapping[str, str]:
        return self.content.person.given if self.content.person else {}

    @property
    def is_identified(self) -> bool:
        return not self.form.level or self.content.person is not None


def session_of(cookie: str) -> bytes:
    """What is stored of a cookie: with it alone nobody opens anything."""
    return hashlib.sha256(cookie.encode()).digest()


# --- drafts ---------------------------------------------------------------------------------------------------


async def begin(deployment: Deployment, ctx: TenantContext, start: Start) -> Application:
    """The session's draft for a service: the one that lives, also in another tab, or a new one.

    Raises NotFoundError for a service without a form.
    """
    form = _form(ctx, start.service)
    at = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        await tx.lock(f"application/{start.session.hex()}")
        for known in await store.of_session(tx, start.session, start.service, lock=True):
            if known.is_live(at):
                await store.update(tx, known.id, ends_at=at + DRAFT)
                return known
        made = _draft(deployment, start, form, at)
        while not await store.add(tx, made):
            made = _draft(deployment, start, form, at)  # its reference was taken; the next one is another one
        await _keep(deployment, tx, made, Content())
        await _watch(tx, made.id, DRAFT)
    return made


async def identify(deployment: Deployment, ctx: TenantContext, start: Start, *, door: str, return_path: str) -> str:
    """The path at which a person goes on to identify through a door. Raises NotFoundError for a door that is none or
    does not reach the level, DoorFailedError."""
    form = _form(ctx, start.service)
    chosen = doors.doors(deployment, ctx, form.level).get(door) if form.level else None
    if chosen is None:
        raise NotFoundError
    draft = await begin(deployment, ctx, start)
    required, optional = form.asked(ATTRIBUTES)
    wish = IdentityWish(
        key=draft.id,
        purpose=form.purpose,
        required=required,
        optional=optional,
        age=form.age,
        community=form.community,
        level=form.level,
        return_path=return_path,
        device=start.device,
    )
    async with deployment.database.tenant(ctx) as tx:
        own = await _own(deployment, tx, start.cookie, draft.id)
        if own.content.door != door:
            await _leave(deployment, tx, own.application, own.content.door)
        await _keep(deployment, tx, own.application, msgspec.structs.replace(own.content, door=door))
        return await doors.begin(deployment, tx, chosen, wish)


async def take_identity(deployment: Deployment, ctx: TenantContext, cookie: str, key: UUID) -> bool:
    """Whether somebody has identified for this draft: the door that was chosen is asked, what is known is filled in.

    Raises ApplicationGoneError, LevelTooLowError, NotEntitledError, DoorFailedError.
    """
    async with deployment.database.tenant(ctx) as tx:
        draft = await _own(deployment, tx, cookie, key)
        door = doors.doors(deployment, ctx, draft.form.level).get(draft.content.door)
        found = await doors.take(deployment, tx, door, key) if door else None
        is_enough = found is not None and found.level >= draft.form.level
        is_entitled = found is not None and draft.form.is_for(found)
        if found is not None and is_enough and is_entitled:
            await _take(deployment, tx, draft, found)
    if found is not None and not is_enough:
        raise LevelTooLowError
    if found is not None and not is_entitled:
        raise NotEntitledError
    return found is not None or draft.content.person is not None


async def _take(deployment: Deployment, tx: Transaction, draft: Draft, found: Identified) -> None:
    """Only what answers fields is kept. What somebody has typed before stays where nothing is known of it."""
    given = model.prefilled(draft.form, doors.known_of(deployment, tx.ctx, found))
    person = Person(provider=found.provider, level=found.level, at=found.at, proof=found.proof, given=given)
    values = {**draft.content.values, **given}
    await _keep(deployment, tx, draft.application, msgspec.structs.replace(draft.content, values=values, person=person))


async def draft_of(deployment: Deployment, ctx: TenantContext, cookie: str, service: str) -> Draft | Application:
    """What a session has begun for a service: its draft, opened, or what was submitted last.

    Raises ApplicationGoneError.
    """
    async with deployment.database.tenant(ctx) as tx:
        for one in await store.of_session(tx, session_of(cookie), service):
            if one.is_live(tx.now()):
                return await _opened(deployment, tx, one)
            if one.state != "draft":
                return one
    raise ApplicationGoneError


async def fill_in(
    deployment: Deployment, ctx: TenantContext, cookie: str, key: UUID, typed: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Keep what was typed, right or wrong, and say every mistake as (field, sentence). Raises ApplicationGoneError."""
    async with deployment.database.tenant(ctx) as tx:
        draft = await _own(deployment, tx, cookie, key)
        values, mistakes = model.read(draft.form, typed, draft.given)
        await _keep(deployment, tx, draft.application, msgspec.structs.replace(draft.content, values=values))
    return mistakes


async def forget(deployment: Deployment, ctx: TenantContext, cookie: str) -> None:
    """A session ends: its drafts are deleted with their keys, and it opens nothing that was submitted any more."""
    async with deployment.database.tenant(ctx) as tx:
        for one in await store.of_session(tx, session_of(cookie), lock=True):
            if one.state == "draft":
                await _drop(deployment, tx, one)
            else:
                await store.update(tx, one.id, session=b"")


@job(plugin="core", name="core.applications.end")
async def end(deployment: Deployment, ctx: TenantContext, *, application_id: str) -> None:
    """Delete a draft whose time is over; one that was touched since is looked at again then."""
    async with deployment.database.tenant(ctx) as tx:
        draft = await store.by_id(tx, UUID(application_id), lock=True)
        if draft is None or draft.state != "draft" or draft.ends_at is None:
            return
        if draft.is_live(tx.now()):
            await _watch(tx, draft.id, draft.ends_at - tx.now())
        else:
            await _drop(deployment, tx, draft)


async def _drop(deployment: Deployment, tx: Transaction, draft: Application) -> None:
    """Delete a draft, and what its door has begun for it."""
    door = (await _unseal(deployment, tx, draft.id, draft.sealed)).door if draft.sealed else ""
    await _leave(deployment, tx, draft, door)
    await store.delete(tx, draft.id)


async def _leave(deployment: Deployment, tx: Transaction, draft: Application, door: str) -> None:
    if (left := doors.doors(deployment, tx.ctx, 0).get(door)) is not None:
        await doors.forget(deployment, tx, left, draft.id)


# --- submitting -----------------------------------------------------------------------------------------------


async def submit(
    deployment: Deployment, ctx: TenantContext, cookie: str, key: UUID, *, version: int, title: str
) -> Application:
    """Submit a draft as it was seen (`version`); a second time gives what was submitted.

    `title`: the service in the tenant's language. Raises ApplicationGoneError, InvalidInputError, LevelTooLowError,
    and ConflictError for a draft that has been changed since it was seen.
    """
    async with deployment.database.tenant(ctx) as tx:
        known = await store.by_id(tx, key, lock=True)
        if known is not None and known.session == session_of(cookie) and known.state != "draft":
            return known
        draft = await _own(deployment, tx, cookie, key)
        _look_at(draft, version)
        return await _submitted(deployment, tx, draft, title)


def _look_at(draft: Draft, version: int) -> None:
    if not draft.is_identified:
        raise LevelTooLowError
    _, mistakes = model.read(draft.form, draft.content.values, draft.given)
    if mistakes:
        raise InvalidInputError(mistakes)
    if draft.application.version != version:
        raise ConflictError


async def _submitted(deployment: Deployment, tx: Transaction, draft: Draft, title: str) -> Application:
    own, form, at = draft.application, draft.form, tx.now()
    content = Content(
        person=draft.content.person,
        title=title,
        consent=pick(form.consent, own.locale),
        answers=model.answers(form, draft.content.values, draft.given, tx.ctx.locale),
    )
    changed: dict[str, Any] = {
        "state": model.move(own.state, "submitted"),
        "sealed": await _seal(deployment, tx, own.id, content),
        "connector": form.connector,
        "keep_days": form.keep_days,
        "changed_at": at,
        "submitted_at": at,
        "ends_at": None,
    }
    await store.update(tx, own.id, **changed)
    await audit.record(
        tx,
        at=at,
        actor="applicant",
        action="application.submitted",
        subject=f"application:{own.id}",
        service=own.service,
        place=own.place,
        assurance=content.person.level if content.person else 0,
    )
    await forward.defer(tx, lock=f"application/{own.id}", application_id=own.id)
    return msgspec.structs.replace(own, **changed)


@job(plugin="core", name="core.applications.forward", retry=Waits(*PAUSES))
async def forward(deployment: Deployment, ctx: TenantContext, *, application_id: str) -> None:
    """Hand an application on. Raises ConnectorError, so that it is tried again; it waits as failed till then."""
    key = UUID(application_id)
    async with deployment.database.tenant(ctx) as tx:
        waiting = await store.by_id(tx, key)
        if waiting is None or waiting.state not in WAITING:
            return
        submission = await _submission(deployment, tx, waiting)
    try:
        receipt = await connectors.send(deployment, ctx, waiting.connector, submission)
    except ConnectorError:
        await _settle(deployment, ctx, key, to="failed")
        raise
    await _settle(deployment, ctx, key, to="forwarded", receipt=receipt)


async def _settle(deployment: Deployment, ctx: TenantContext, key: UUID, *, to: str, receipt: str = "") -> None:
    async with deployment.database.tenant(ctx) as tx:
        own = await store.by_id(tx, key, lock=True)
        if own is None or own.state not in WAITING:  # another attempt was faster
            return
        at = tx.now()
        ends_at = at + timedelta(days=own.keep_days) if to == "forwarded" else None
        changed = {"state": model.move(own.state, to), "changed_at": at, "ends_at": ends_at}
        await store.update(tx, key, **changed, receipt=receipt, attempts=own.attempts + 1)
        if to != own.state:
            await audit.record(
                tx,
                at=at,
                actor="job:applications",
                action=f"application.{to}",
                subject=f"application:{key}",
                connector=own.connector,
            )


# --- afterwards -----------------------------------------------------------------------------------------------


async def find(deployment: Deployment, ctx: TenantContext, application_id: UUID) -> Application:
    """What was submitted. Raises NotFoundError, also for drafts."""
    async with deployment.database.tenant(ctx) as tx:
        return _submitted_one(await store.by_id(tx, application_id))


async def by_reference(deployment: Deployment, ctx: TenantContext, typed: str) -> Application | None:
    """What was submitted under a reference that somebody names; None for what is no reference of one."""
    reference = read_reference(typed)
    if reference is None:
        return None
    async with deployment.database.tenant(ctx) as tx:
        found = await store.by_reference(tx, reference)
    return found if found and found.state != "draft" else None


async def listed(deployment: Deployment, ctx: TenantContext) -> list[Application]:
    """What was submitted: first what failed, then what waits, then what has arrived, each the newest first."""
    async with deployment.database.tenant(ctx) as tx:
        found = [await store.listed(tx, (state,)) for state in ("failed", "submitted", "forwarded")]
    return [one for part in found for one in part]


async def open_for(deployment: Deployment, ctx: TenantContext, application_id: UUID, *, actor: str) -> Submission:
    """What was answered, for one of the staff; the audit chain says who has looked. Raises NotFoundError."""
    async with deployment.database.tenant(ctx) as tx:
        own = _submitted_one(await store.by_id(tx, application_id))
        if own.sealed is None:
            raise NotFoundError
        found = await _submission(deployment, tx, own)
        await audit.record(
            tx, at=tx.now(), actor=actor, action="application.read", subject=f"application:{application_id}"
        )
    return found


async def send_again(deployment: Deployment, ctx: TenantContext, application_id: UUID, *, actor: str) -> None:
    """Try to forward at once what has failed. Raises NotFoundError, and ConflictError for what waits for nobody."""
    async with deployment.database.tenant(ctx) as tx:
        own = _submitted_one(await store.by_id(tx, application_id, lock=True))
        if own.state not in WAITING:
            raise ConflictError
        await forward.defer(tx, lock=f"application/{own.id}", application_id=own.id)
        await audit.record(
            tx, at=tx.now(), actor=actor, action="application.sent-again", subject=f"application:{application_id}"
        )


# --- parts ----------------------------------------------------------------------------------------------------


def _form(ctx: TenantContext, service: str) -> Form:
    form = form_of(ctx, service)
    if form is None:
        raise NotFoundError
    return form


def _draft(deployment: Deployment, start: Start, form: Form, at: datetime) -> Application:
    return Application(
        id=new_id(),
        session=start.session,
        service=start.service,
        point=start.point,
        place=start.place,
        locale=start.locale,
        reference=new_reference(deployment.randomness),
        connector=form.connector,
        keep_days=form.keep_days,
        created_at=at,
        changed_at=at,
        ends_at=at + DRAFT,
    )


async def _own(deployment: Deployment, tx: Transaction, cookie: str, key: UUID) -> Draft:
    """A live draft of this very session, locked. Raises ApplicationGoneError."""
    found = await store.by_id(tx, key, lock=True)
    if found is None or found.session != session_of(cookie) or not found.is_live(tx.now()):
        raise ApplicationGoneError
    return await _opened(deployment, tx, found)


async def _opened(deployment: Deployment, tx: Transaction, found: Application) -> Draft:
    form = form_of(tx.ctx, found.service)
    if form is None or found.sealed is None:
        raise ApplicationGoneError
    return Draft(application=found, form=form, content=await _unseal(deployment, tx, found.id, found.sealed))


async def _keep(deployment: Deployment, tx: Transaction, own: Application, content: Content) -> None:
    sealed, at = await _seal(deployment, tx, own.id, content), tx.now()
    await store.update(tx, own.id, sealed=sealed, version=own.version + 1, changed_at=at, ends_at=at + DRAFT)


async def _seal(deployment: Deployment, tx: Transaction, key: UUID, content: Content) -> bytes:
    return await deployment.keyring.seal(tx, key, msgspec.json.encode(content), field=FIELD)


async def _unseal(deployment: Deployment, tx: Transaction, key: UUID, sealed: bytes) -> Content:
    return msgspec.json.decode(await deployment.keyring.unseal(tx, key, sealed, field=FIELD), type=Content)


async def _submission(deployment: Deployment, tx: Transaction, own: Application) -> Submission:
    assert own.sealed is not None
    assert own.submitted_at is not None
    content = await _unseal(deployment, tx, own.id, own.sealed)
    return Submission(
        id=own.id,
        tenant=tx.ctx.slug,
        reference=own.reference,
        service=own.service,
        title=content.title,
        point=own.point,
        place=own.place,
        language=own.locale,
        submitted_at=own.submitted_at,
        consent=content.consent,
        person=content.person,
        answers=content.answers,
    )


def _submitted_one(found: Application | None) -> Application:
    if found is None or found.state == "draft":
        raise NotFoundError
    return found


async def _watch(tx: Transaction, key: UUID, after: timedelta) -> None:
    """Look at the draft again when its time is over."""
    await end.defer(tx, in_seconds=max(1, math.ceil(after.total_seconds())), application_id=key)


JOBS: Sequence[Any] = (forward, end)
