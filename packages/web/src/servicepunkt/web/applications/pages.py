"""The way of an application: what it is, identify, fill in, look at it and agree, the reference to take along.

Each page is a form of plain HTML. What is entered lives sealed for minutes and is found by the browser's cookie alone.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core import doors as identifying
from servicepunkt.core.applications import service
from servicepunkt.core.applications.model import Application, ApplicationGoneError, Form, read
from servicepunkt.core.applications.service import Draft, Start
from servicepunkt.core.applications.settings import form_of
from servicepunkt.core.catalogue.model import Service, pick
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.web import access
from servicepunkt.web.applications import seen
from servicepunkt.web.applications.links import COOKIE, apply_path, can_be_applied_for
from servicepunkt.web.applications.seen import NOTES, Words, typed_fields
from servicepunkt.web.devices.attempts import Attempts
from servicepunkt.web.devices.model import Device
from servicepunkt.web.forms import typed
from servicepunkt.web.frame import place_of, terminal_bar
from servicepunkt.web.navigation import cookie, public_address, see_other
from servicepunkt.web.qr import qr_image
from servicepunkt.web.settings import TerminalSettings
from servicepunkt.web.terminal import content, figures
from servicepunkt.web.terminal.content import OfferSeen, Sight
from servicepunkt.web.terminal.pages import PUBLIC, page, public_service_of, sight_of

# Who fills in a form thinks, and looks for papers; who has submitted one looks for something to write.
FILLING_SECONDS, READING_SECONDS = 120, 180
Note = Annotated[str, QueryParameter(max_length=10)]
Key = Annotated[str, QueryParameter(max_length=40)]


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody applies: the service as it is offered, its form, and the browser's cookie."""

    request: Request[Any, Any, Any]
    sight: Sight
    service: Service
    offers: list[OfferSeen]
    form: Form
    device: Device | None

    @property
    def offer(self) -> OfferSeen:
        return next(one for one in self.offers if can_be_applied_for(self.request, one))

    @property
    def path(self) -> str:
        return apply_path(self.request, self.service.id)

    @property
    def cookie(self) -> str:
        return self.request.cookies.get(COOKIE, "")

    @property
    def words(self) -> Words:
        say = partial(access.deployment_of(self.request).texts.translate, self.sight.locale)
        return Words(locale=self.sight.locale, zone=self.sight.zone, say=say)

    def page(self, template: str, **values: Any) -> Response[str]:
        bar = {"bar": terminal_bar(self.request, idle=FILLING_SECONDS)} if self.sight.point else {}
        shown = {"service": self.service, "seen": self.offer, "form": self.form, "here": self.path}
        # Another language shows the page itself, and never what a form was sent to.
        return page(self.request, template, self.sight, **{**shown, "path": self.path, **bar, **values})


async def _desk(request: Request[Any, Any, Any], service_id: str, device: Device | None) -> Desk:
    """Raises NotFoundError for what nobody applies for here."""
    sight = await sight_of(request, device)
    wanted = public_service_of(sight, service_id)
    form, offers = form_of(access.tenant_of(request), service_id), content.offers_of_service(sight, wanted)
    if form is None or not any(can_be_applied_for(request, one) for one in offers):
        raise NotFoundError
    return Desk(request=request, sight=sight, service=wanted, offers=offers, form=form, device=device)


async def _draft(desk: Desk) -> Draft | Application | None:
    request = desk.request
    try:
        return await service.draft_of(
            access.deployment_of(request), access.tenant_of(request), desk.cookie, desk.service.id
        )
    except ApplicationGoneError:
        return None


# --- what it is, and who somebody is --------------------------------------------------------------------------


async def _about(desk: Desk, note: str) -> Response[str]:
    request = desk.request
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    doors = identifying.doors(deployment, ctx, desk.form.level) if desk.form.level else {}
    found = await _draft(desk)
    is_begun = isinstance(found, Draft) and found.is_identified
    return desk.page(
        "web/apply.html",
        note=NOTES.get(note, ""),
        doors=[door for _, door in doors.values()],
        known=[one for one in desk.form.fields if one.source],
        typed=[one for one in desk.form.fields if not one.source],
        is_begun=is_begun,
        ways=content.non_digital_ways(desk.offers),
        fees=figures.fees(desk.service.fees, desk.words.say, desk.sight.locale),
        channels=content.CHANNELS,
    )


async def _begin(desk: Desk) -> Response[Any]:
    """A draft for this browser, then on to the door, or to the form where nobody has to identify."""
    request = desk.request
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    values = await typed(request)
    own = desk.cookie if len(desk.cookie) == 64 else deployment.randomness(32).hex()
    start = Start(
        cookie=own,
        service=desk.service.id,
        point=desk.offer.point.id,
        locale=desk.sight.locale,
        device=desk.device.id if desk.device else None,
    )
    if desk.form.level:
        door, back = values.get("door", ""), f"{desk.path}/back"
        path = await service.identify(deployment, ctx, start, door=door, return_path=back)
    else:
        await service.begin(deployment, ctx, start)
        path = f"{desk.path}/form"
    answer = see_other(request, path, fallback=desk.path)
    # Not strict: a door may lead over pages of others.
    answer.set_cookie(cookie(request, COOKIE, own, samesite="lax"))
    return answer


async def _back(desk: Desk, key: str) -> Response[Any]:
    """Somebody comes back from a door."""
    request = desk.request
    try:
        found = await service.take_identity(
            access.deployment_of(request), access.tenant_of(request), desk.cookie, _uuid(key)
        )
    except ApplicationGoneError:
        # Also who goes back in the browser after all was submitted.
        return see_other(request, f"{desk.path}/form")
    return see_other(request, f"{desk.path}/form" if found else f"{desk.path}?note=again")


def _uuid(text: str) -> UUID:
    """Raises ApplicationGoneError."""
    try:
        return UUID(text)
    except ValueError:
        raise ApplicationGoneError from None


# --- the form, and what was filled in -------------------------------------------------------------------------


async def _open(desk: Desk) -> Draft | Response[Any]:
    """The draft, or where somebody goes who has none, has not identified, or has submitted it already."""
    found = await _draft(desk)
    if isinstance(found, Application):
        return see_other(desk.request, f"{place_of(desk.request)}/application/{found.id}")
    if found is None:
        return see_other(desk.request, f"{desk.path}?note=gone")
    return found if found.is_identified else see_other(desk.request, desk.path)


def _form_page(desk: Desk, draft: Draft, mistakes: list[tuple[str, str]]) -> Response[str]:
    wrong = {place for place, _ in mistakes}
    answer = desk.page(
        "web/apply_form.html",
        fields=desk.words.fields(desk.form, draft.content.values, draft.given, wrong),
        mistakes=[(seen.PREFIX + place if place else "", sentence) for place, sentence in mistakes],
        summary=[
            (seen.PREFIX + place if place else "", desk.words.mistake(desk.form, place, sentence))
            for place, sentence in mistakes
        ],
        yes_no=[(value, desk.words.say(said)) for value, said in seen.YES_NO.items()],
        path=f"{desk.path}/form",
    )
    answer.status_code = 422 if mistakes else 200
    return answer


async def _fill_in(desk: Desk) -> Response[Any]:
    found = await _open(desk)
    if not isinstance(found, Draft):
        return found
    request = desk.request
    values = typed_fields(await typed(request))
    mistakes = await service.fill_in(
        access.deployment_of(request), access.tenant_of(request), desk.cookie, found.application.id, values
    )
    if not mistakes:
        return see_other(request, f"{desk.path}/check")
    again = await _open(desk)
    return _form_page(desk, again, mistakes) if isinstance(again, Draft) else again


async def _show_form(desk: Desk) -> Response[Any]:
    found = await _open(desk)
    return _form_page(desk, found, []) if isinstance(found, Draft) else found


async def _check(desk: Desk, mistakes: list[tuple[str, str]] | None = None, status: int = 200) -> Response[Any]:
    """Everything once more before it is submitted; what does not fit leads back to the form."""
    found = await _open(desk)
    if not isinstance(found, Draft):
        return found
    _, wrong = read(desk.form, found.content.values, found.given)
    if wrong:
        return _form_page(desk, found, wrong)
    fields = desk.words.fields(desk.form, found.content.values, found.given)
    answer = desk.page(
        "web/apply_check.html",
        fields=[one for one in fields if one.value],
        version=found.application.version,
        key=found.application.id,
        mistakes=mistakes or [],
        path=f"{desk.path}/check",
    )
    answer.status_code = status
    return answer


async def _submit(desk: Desk) -> Response[Any]:
    request = desk.request
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    values = await typed(request)
    version = values.get("version", "")
    found = await _draft(desk)
    if isinstance(found, Draft) and values.get("consent") != "yes":
        return await _check(desk, [("consent", seen.CONSENT_NEEDED)], 422)
    try:
        sent = await service.submit(
            deployment,
            ctx,
            desk.cookie,
            _uuid(values.get("key", "")),
            version=int(version) if version.isascii() and version.isdigit() and len(version) < 10 else -1,
            title=pick(desk.service.name, ctx.locale),
        )
    except InvalidInputError:
        return await _check(desk)
    except ConflictError:
        return await _check(desk, [("", seen.CHANGED)], 409)
    except ApplicationGoneError:
        return see_other(request, f"{desk.path}?note=gone")
    return see_other(request, f"{place_of(request)}/application/{sent.id}")


# --- afterwards -----------------------------------------------------------------------------------------------


async def _sent(
    request: Request[Any, Any, Any], sight: Sight, application_id: UUID, template: str = "web/applied.html"
) -> Response[str]:
    """The reference and how it stands, and nothing of what was answered. Raises NotFoundError."""
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    found = await service.find(deployment, ctx, application_id)
    form, applied_for = form_of(ctx, found.service), sight.catalogue.service(found.service)
    address = public_address(request, f"/application/{found.id}")
    say = partial(deployment.texts.translate, sight.locale)
    words = Words(locale=sight.locale, zone=sight.zone, say=say)
    values = {
        "seen": words.application(found, found.service, sight.at),
        "service": applied_for,
        "then": form.then if form else {},
        "durations": figures.durations(applied_for.durations, say, sight.locale) if applied_for else [],
        "channels": content.CHANNELS,
        "code": qr_image(found.reference),
        "address_code": qr_image(address) if sight.point else "",
        "has_printer": sight.point is not None and ctx.section("terminal", TerminalSettings).receipt,
    }
    bar = {"bar": terminal_bar(request, idle=READING_SECONDS)} if sight.point else {}
    return page(request, template, sight, **values, **bar)


def _count(request: Request[Any, Any, Any]) -> None:
    """Nobody fills the tables by pressing again and again. Raises TooManyRequestsError."""
    attempts: Attempts = request.app.state.setdefault("application_attempts", Attempts())
    address = request.client.host if request.client else ""
    attempts.count(access.tenant_of(request).id, address, access.deployment_of(request).clock.now())


# --- on the web -----------------------------------------------------------------------------------------------


@get("/apply/{service_id:str}", opt=PUBLIC)
async def public_about(request: Request[Any, Any, Any], service_id: FromPath[str], note: Note = "") -> Response[str]:
    """What is applied for, who asks for what and why, and how to identify."""
    return await _about(await _desk(request, service_id, None), note)


@post("/apply/{service_id:str}", opt=PUBLIC)
async def public_begin(request: Request[Any, Any, Any], service_id: FromPath[str]) -> Response[Any]:
    """Begin, and go on to the chosen door."""
    _count(request)
    return await _begin(await _desk(request, service_id, None))


@get("/apply/{service_id:str}/back", opt=PUBLIC)
async def public_back(request: Request[Any, Any, Any], service_id: FromPath[str], key: Key = "") -> Response[Any]:
    """Back from the door."""
    return await _back(await _desk(request, service_id, None), key)


@get("/apply/{service_id:str}/form", opt=PUBLIC)
async def public_form(request: Request[Any, Any, Any], service_id: FromPath[str]) -> Response[Any]:
    """The form, with what is known filled in."""
    return await _show_form(await _desk(request, service_id, None))


@post("/apply/{service_id:str}/form", opt=PUBLIC)
async def public_fill_in(request: Request[Any, Any, Any], service_id: FromPath[str]) -> Response[Any]:
    """Keep what was typed, and say what does not fit."""
    return await _fill_in(await _desk(request, service_id, None))


@get("/apply/{service_id:str}/check", opt=PUBLIC)
async def public_check(request: Request[Any, Any, Any], service_id: FromPath[str]) -> Response[Any]:
    """Everything once more, and what one agrees to."""
    return await _check(await _desk(request, service_id, None))


@post("/apply/{service_id:str}/check", opt=PUBLIC)
async def public_submit(request: Request[Any, Any, Any], service_id: FromPath[str]) -> Response[Any]:
    """Submit it."""
    return await _submit(await _desk(request, service_id, None))


@get("/application/{application_id:uuid}", opt=PUBLIC)
async def public_sent(request: Request[Any, Any, Any], application_id: FromPath[UUID]) -> Response[str]:
    """The reference of what was submitted, and how it stands."""
    return await _sent(request, await sight_of(request), application_id)


# --- at a terminal --------------------------------------------------------------------------------------------


@get("/k/apply/{service_id:str}", guards=[access.terminal])
async def terminal_about(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str], note: Note = ""
) -> Response[str]:
    """What is applied for, who asks for what and why, and how to identify."""
    return await _about(await _desk(request, service_id, device), note)


@post("/k/apply/{service_id:str}", guards=[access.terminal])
async def terminal_begin(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[Any]:
    """Begin, and go on to the chosen door."""
    return await _begin(await _desk(request, service_id, device))


@get("/k/apply/{service_id:str}/back", guards=[access.terminal])
async def terminal_back(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str], key: Key = ""
) -> Response[Any]:
    """Back from the door."""
    return await _back(await _desk(request, service_id, device), key)


@get("/k/apply/{service_id:str}/form", guards=[access.terminal])
async def terminal_form(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[Any]:
    """The form, with what is known filled in."""
    return await _show_form(await _desk(request, service_id, device))


@post("/k/apply/{service_id:str}/form", guards=[access.terminal])
async def terminal_fill_in(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[Any]:
    """Keep what was typed, and say what does not fit."""
    return await _fill_in(await _desk(request, service_id, device))


@get("/k/apply/{service_id:str}/check", guards=[access.terminal])
async def terminal_check(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[Any]:
    """Everything once more, and what one agrees to."""
    return await _check(await _desk(request, service_id, device))


@post("/k/apply/{service_id:str}/check", guards=[access.terminal])
async def terminal_submit(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[Any]:
    """Submit it."""
    return await _submit(await _desk(request, service_id, device))


@get("/k/application/{application_id:uuid}", guards=[access.terminal])
async def terminal_sent(
    request: Request[Any, Any, Any], device: NamedDependency[Device], application_id: FromPath[UUID]
) -> Response[str]:
    """The reference of what was submitted, and a code that takes it to one's own phone."""
    return await _sent(request, await sight_of(request, device), application_id)


@get("/k/application/{application_id:uuid}/receipt", guards=[access.terminal])
async def terminal_sent_receipt(
    request: Request[Any, Any, Any], device: NamedDependency[Device], application_id: FromPath[UUID]
) -> Response[str]:
    """The reference for a printer of receipts. Raises NotFoundError where the terminals have none."""
    if not access.tenant_of(request).section("terminal", TerminalSettings).receipt:
        raise NotFoundError
    return await _sent(request, await sight_of(request, device), application_id, "web/applied_receipt.html")


HANDLERS = (
    public_about,
    public_begin,
    public_back,
    public_form,
    public_fill_in,
    public_check,
    public_submit,
    public_sent,
    terminal_about,
    terminal_begin,
    terminal_back,
    terminal_form,
    terminal_fill_in,
    terminal_check,
    terminal_submit,
    terminal_sent,
    terminal_sent_receipt,
)
