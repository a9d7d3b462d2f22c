"""The checklist of a service to take along: as a page with questions, as A4 on the web, as a receipt at a terminal."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.catalogue.model import Service
from servicepunkt.core.errors import NotFoundError
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.frame import place_of
from servicepunkt.web.navigation import public_address
from servicepunkt.web.paper import Press
from servicepunkt.web.qr import qr_image
from servicepunkt.web.settings import TerminalSettings
from servicepunkt.web.sheet import Sheet
from servicepunkt.web.speech import Speaker
from servicepunkt.web.terminal import checklist
from servicepunkt.web.terminal.checklist import Checklist
from servicepunkt.web.terminal.content import CHANNELS, Sight
from servicepunkt.web.terminal.pages import PUBLIC, first_day, page, public_service_of, sight_of

MOST_CASES = 100
Cases = Annotated[list[str] | None, QueryParameter(max_items=MOST_CASES)]


def found_in(request: Request[Any, Any, Any], sight: Sight, service: Service, case: list[str] | None) -> Checklist:
    texts = access.deployment_of(request).texts
    return checklist.checklist(sight, service, checklist.numbers(case or ()), texts)


def sheet_of(request: Request[Any, Any, Any], sight: Sight, found: Checklist) -> Sheet:
    """The checklist in words; its code leads to the same list on the web."""
    return checklist.sheet(
        found,
        sight,
        access.deployment_of(request).texts,
        issuer=access.tenant_of(request).name,
        address=public_address(request, f"/service/{found.service.id}/checklist{found.query}"),
    )


def checklist_page(
    request: Request[Any, Any, Any], sight: Sight, service_id: str, case: list[str] | None, template: str
) -> Response[str]:
    """Raises NotFoundError."""
    service = public_service_of(sight, service_id)
    found = found_in(request, sight, service, case)
    sheet = sheet_of(request, sight, found)
    speaker: Speaker = request.app.state["speech"]
    path = f"{place_of(request)}/service/{service.id}/checklist"
    return page(
        request,
        template,
        sight,
        found=found,
        service=service,
        sheet=sheet,
        holds_from=first_day(sight, service),
        unusual_day=checklist.unusual_day,
        no_list=checklist.no_list,
        channels=CHANNELS,
        fees=found.fees,
        durations=found.durations,
        code=qr_image(sheet.address) if sight.point else "",
        path=path + found.query,
        has_printer=sight.point is not None and access.tenant_of(request).section("terminal", TerminalSettings).receipt,
        aloud=speaker.address(f"/service/{service.id}/checklist.wav{found.query}", sight.locale),
    )


@get("/service/{service_id:str}/checklist", opt=PUBLIC)
async def public_checklist(
    request: Request[Any, Any, Any], service_id: FromPath[str], case: Cases = None
) -> Response[str]:
    """What to bring for a service, with questions about who one is."""
    return checklist_page(request, await sight_of(request), service_id, case, "web/checklist.html")


@get("/k/service/{service_id:str}/checklist", guards=[access.terminal])
async def terminal_checklist(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str], case: Cases = None
) -> Response[str]:
    """The same at a terminal, with a code that takes the answers to one's own phone."""
    return checklist_page(request, await sight_of(request, device), service_id, case, "web/checklist.html")


@get("/k/service/{service_id:str}/checklist/receipt", guards=[access.terminal])
async def terminal_receipt(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str], case: Cases = None
) -> Response[str]:
    """The list for a printer of receipts. Raises NotFoundError where the terminals have none."""
    if not access.tenant_of(request).section("terminal", TerminalSettings).receipt:
        raise NotFoundError
    return checklist_page(request, await sight_of(request, device), service_id, case, "web/receipt.html")


@get("/service/{service_id:str}/checklist.pdf", opt=PUBLIC)
async def public_paper(
    request: Request[Any, Any, Any], service_id: FromPath[str], case: Cases = None
) -> Response[bytes]:
    """The list as A4. Raises NotFoundError."""
    sight = await sight_of(request)
    service = public_service_of(sight, service_id)
    sheet = sheet_of(request, sight, found_in(request, sight, service, case))
    press: Press = request.app.state["press"]
    name = f'inline; filename="{service.id}.pdf"'
    return Response(await press.print(sheet), media_type="application/pdf", headers={"content-disposition": name})


HANDLERS = (public_checklist, terminal_checklist, terminal_receipt, public_paper)
