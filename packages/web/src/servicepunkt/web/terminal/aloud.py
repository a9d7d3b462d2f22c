"""Service and checklist read aloud: what is said, and the addresses at which browsers get it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.catalogue.checklist import conditions
from servicepunkt.core.catalogue.model import Channel, Service, pick
from servicepunkt.core.errors import NotFoundError
from servicepunkt.web import access
from servicepunkt.web.assets import ranged
from servicepunkt.web.devices.model import Device
from servicepunkt.web.sheet import Line, Sheet
from servicepunkt.web.speech import Passage, Speaker
from servicepunkt.web.terminal.checklist import Wording
from servicepunkt.web.terminal.content import Sight, ways_of
from servicepunkt.web.terminal.pages import PUBLIC, public_service_of, sight_of
from servicepunkt.web.terminal.take_along import Cases, found_in, sheet_of

KIND = "audio/wav"
KEPT = "private, max-age=300"
VoiceName = Annotated[str, QueryParameter(max_length=20)]
#: Laws and what one gets in the end help nobody's ear.
SAID = frozenset({"bring", "costs", "lasts", "where", "ways"})


def passages(sheet: Sheet, also: list[Passage]) -> list[Passage]:
    """What is said of a sheet, section by section with its heading; `also` belongs to what is to be brought."""
    said = [Passage(sheet.title_language or sheet.locale, sheet.title)]
    said += [Passage(line.language or sheet.locale, line.text) for line in sheet.lead]
    for section in sheet.sections:
        if section.part in SAID:
            said.append(Passage(sheet.locale, f"{section.title}:"))
            said += [Passage(line.language or sheet.locale, _line(line)) for line in section.lines]
            said += also if section.part == "bring" else []
    return said


def _line(line: Line) -> str:
    return ", ".join(part for part in (line.text, line.mark, line.note) if part)


def asked_too(service: Service, wording: Wording, ways: Collection[Channel] | None = None) -> list[Passage]:
    """The conditions with what they ask for, after what everybody brings."""
    return [
        Passage(
            wording.foreign(one.words) or wording.locale,
            f"{pick(one.words, wording.locale)}: " + ", ".join(pick(need.text, wording.locale) for need in one.needs),
        )
        for one in conditions(service, ways)
    ]


async def speech(
    request: Request[Any, Any, Any], sight: Sight, service_id: str, voice: str, case: list[str] | None, *, whole: bool
) -> Response[bytes]:
    """The speech of a checklist, or of the `whole` service with all its conditions. Raises NotFoundError."""
    speaker: Speaker = request.app.state["speech"]
    if voice not in access.tenant_of(request).languages or not speaker.speaks(voice):
        raise NotFoundError
    service = public_service_of(sight, service_id)
    # The address says the language, so that what a browser keeps is never in another one.
    texts = access.deployment_of(request).texts
    sight = msgspec.structs.replace(sight, locale=voice)
    found = found_in(request, sight, service, case)
    also = asked_too(service, Wording(texts, voice), ways_of(sight)) if whole else []
    said = passages(sheet_of(request, sight, found), also)
    digest, path = await speaker.speech(said, voice)
    headers = {"etag": f'"{digest[:32]}"', "accept-ranges": "bytes", "cache-control": KEPT}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(b"", status_code=304, headers=headers, media_type=KIND)
    return ranged(request, await asyncio.to_thread(path.read_bytes), headers=headers, kind=KIND)


@get("/service/{service_id:str}/speech.wav", opt=PUBLIC)
async def public_speech(
    request: Request[Any, Any, Any], service_id: FromPath[str], voice: VoiceName
) -> Response[bytes]:
    """A service read aloud."""
    return await speech(request, await sight_of(request), service_id, voice, None, whole=True)


@get("/service/{service_id:str}/checklist.wav", opt=PUBLIC)
async def public_checklist_speech(
    request: Request[Any, Any, Any], service_id: FromPath[str], voice: VoiceName, case: Cases = None
) -> Response[bytes]:
    """A checklist with its answers read aloud."""
    return await speech(request, await sight_of(request), service_id, voice, case, whole=False)


@get("/k/service/{service_id:str}/speech.wav", guards=[access.terminal])
async def terminal_speech(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str], voice: VoiceName
) -> Response[bytes]:
    """A service read aloud at a terminal."""
    return await speech(request, await sight_of(request, device), service_id, voice, None, whole=True)


@get("/k/service/{service_id:str}/checklist.wav", guards=[access.terminal])
async def terminal_checklist_speech(
    request: Request[Any, Any, Any],
    device: NamedDependency[Device],
    service_id: FromPath[str],
    voice: VoiceName,
    case: Cases = None,
) -> Response[bytes]:
    """A checklist with its answers read aloud at a terminal."""
    return await speech(request, await sight_of(request, device), service_id, voice, case, whole=False)


HANDLERS = (public_speech, public_checklist_speech, terminal_speech, terminal_checklist_speech)
