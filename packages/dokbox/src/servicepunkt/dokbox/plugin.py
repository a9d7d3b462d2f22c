"""What the box brings to the house: deposits for clerks, boxes for staff, a tile at the terminal, codes by SMS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicepunkt.core.declarations import DeviceKind, StaffEntry, TenantDraft, TenantSection, TerminalTile
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.plugins import hookimpl
from servicepunkt.core.protocols import Retention
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import sense
from servicepunkt.dokbox.settings import DokboxSettings, mistakes

if TYPE_CHECKING:
    import click

    from servicepunkt.core.conformance import Rule
    from servicepunkt.core.db.session import Transaction
    from servicepunkt.core.plugins.new import Pattern

servicepunkt_api = "1"
HERE = Path(__file__).parent

BOX = DeviceKind(
    "box",
    "DokBox",
    calls=(
        ("POST", "/api/v1/box/events"),
        ("GET", "/api/v1/box/commands"),
        ("GET", "/api/v1/box/config"),
        ("POST", "/api/v1/box/keys"),
        ("POST", "/api/v1/box/peppers"),
        ("POST", "/api/v1/box/condition"),
    ),
    needs_public_key=True,
)


@hookimpl
def commands() -> Sequence[click.Command]:
    from servicepunkt.dokbox.cli import box

    return (box,)


@hookimpl
def plugin_patterns() -> Sequence[Pattern]:
    from servicepunkt.core.plugins.new import Pattern

    board = Pattern(
        kind="board",
        about="a kind of lock board, with the frames of its maker's sheet",
        then="Write your sheet's frames into `board.py`; the box and its commissioning find the kind by its name.",
        folder=HERE / "patterns" / "board",
        needs=("servicepunkt-dokbox[service]",),
        group="servicepunkt.boards",
        reference="board:KIND",
    )
    return (board,)


@hookimpl
def conformance_rules() -> Sequence[Rule]:
    from servicepunkt.dokbox.conformance import RULES

    return RULES


@hookimpl
def migrations() -> Path:
    return HERE / "migrations"


@hookimpl
def tables() -> Sequence[Any]:
    from servicepunkt.dokbox.store import TABLES

    return TABLES


@hookimpl
def routes() -> Sequence[Any]:
    from servicepunkt.dokbox import api, pages

    return (*api.HANDLERS, *pages.HANDLERS)


@hookimpl
def templates() -> Path:
    return HERE / "templates"


@hookimpl
def static_files() -> Path:
    return HERE / "static"


@hookimpl
def texts() -> Path:
    return HERE / "locale"


@hookimpl
def tenant_sections() -> Sequence[TenantSection]:
    return (TenantSection("dokbox", DokboxSettings, check=_mistakes),)


@hookimpl
def device_kinds() -> Sequence[DeviceKind]:
    return (BOX,)


@hookimpl
def terminal_tiles(ctx: TenantContext, locale: str, point: str) -> Sequence[TerminalTile]:
    settings = ctx.section("dokbox", DokboxSettings)
    here = [box for box in settings.boxes if box.point == point]
    title, text = {"de": ("Dokument abholen", "Mit Handynummer und Code")}.get(
        locale.partition("-")[0], ("Collect a document", "With mobile number and code")
    )
    return [TerminalTile(title, f"/k/box/{box.id}", icon="box", text=text, order=0) for box in here]


@hookimpl
def staff_entries(ctx: TenantContext, permissions: frozenset[str]) -> Sequence[StaffEntry]:  # noqa: ARG001
    entries = []
    if "deposits.read" in permissions:
        entries.append(StaffEntry("Deposits", "/staff/deposits", order=10))
    if permissions & {"boxes.read", "deposits.read"}:
        entries.append(StaffEntry("Boxes", "/staff/boxes", order=15))
    return entries


@hookimpl
def staff_tasks(ctx: TenantContext, permissions: frozenset[str]) -> Sequence[Any]:  # noqa: ARG001
    from servicepunkt.dokbox.staff.attest import PeopleWait
    from servicepunkt.dokbox.staff.tasks import DepositsNeedYou

    tasks: list[Any] = [PeopleWait()] if "deposits.attest" in permissions else []
    return [*tasks, DepositsNeedYou()] if "deposits.read" in permissions else tasks


@hookimpl
def notice_templates(ctx: TenantContext) -> Sequence[NoticeTemplate]:
    from servicepunkt.dokbox.notice_templates import notice_templates

    return notice_templates(ctx.section("dokbox", DokboxSettings), ctx.name)


@hookimpl
def notice_listeners(ctx: TenantContext) -> Sequence[Any]:  # noqa: ARG001
    from servicepunkt.dokbox.messages import DepositNotices

    return (DepositNotices(),)


@hookimpl
def jobs() -> Sequence[Any]:
    from servicepunkt.dokbox.messages import remind

    return (remind,)


@hookimpl
def retention_rules(ctx: TenantContext) -> Mapping[str, Retention]:
    return {"deposit": Retention(ctx.section("dokbox", DokboxSettings).retention_days, erase_finished)}


@hookimpl
def health_checks(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.dokbox.health import BoxesSeen

    return [BoxesSeen(box.id) for box in ctx.section("dokbox", DokboxSettings).boxes]


@hookimpl
def tenant_applied(ctx: TenantContext) -> Any:  # noqa: ARG001
    from servicepunkt.dokbox.configuration import SyncBoxes

    return SyncBoxes()


@hookimpl
def host_figures(ctx: TenantContext) -> Sequence[Any]:  # noqa: ARG001
    from servicepunkt.dokbox.store import DocumentsHandedOver

    return (DocumentsHandedOver(),)


@hookimpl
def go_live_checks(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.dokbox.ready import BoxesReady

    return (BoxesReady(ctx),)


@hookimpl
def retirement_checks(ctx: TenantContext) -> Sequence[Any]:  # noqa: ARG001
    from servicepunkt.dokbox.ready import BoxesEmpty

    return (BoxesEmpty(),)


def _mistakes(draft: TenantDraft) -> list[tuple[str, str]]:
    templates = {template.name: template for template in draft.plugins.flat(draft.ctx, "notice_templates")}
    return [*mistakes(draft.ctx, templates), *sense.mistakes(draft)]


async def erase_finished(tx: Transaction, before: datetime) -> int:
    """Erase the mirror of deposits that ended before `before`, with their notices; the audit chain keeps the fact."""
    from servicepunkt.core.keys import store as keys
    from servicepunkt.core.notices import store as notices
    from servicepunkt.dokbox import store

    ids = await store.finished_before(tx, before)
    for deposit_id in ids:
        await notices.delete_of_case(tx, deposit_id)
        await keys.erase(tx, deposit_id)
    await store.delete_deposits(tx, ids)
    return len(ids)
