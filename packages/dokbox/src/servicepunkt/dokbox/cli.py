"""`servicepunkt box`: run a box, simulate and commission a cabinet, verify a journal."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse
from servicepunkt.core.settings import Settings, read_settings
from servicepunkt.dokbox import plan
from servicepunkt.dokbox.commissioning import run_at_keyboard
from servicepunkt.dokbox.errors import DokboxError
from servicepunkt.dokbox.simulator.kinds import DEFAULT_KIND, KINDS, describe_kinds
from servicepunkt.dokbox.verify import verify_journal

out = Console()
complain = Console(stderr=True)


@click.group()
def box() -> None:
    """The document box: plan, commission, run and simulate it, verify its journal."""


@box.command("run")
@click.option("--home", type=click.Path(path_type=Path), required=True, help="Folder of journal and token.")
@click.option("--vault", type=click.Path(path_type=Path), help="Folder of the keys; default: HOME-vault.")
@click.option("--cabinet", required=True, help="krcu16:/dev/ttyUSB0?boards=3&compartments=48")
@click.option("--centre", required=True, help="Address of the tenant at the centre.")
@click.option("--enrol", default="", help="One-time code, needed once.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8620, show_default=True, type=click.IntRange(0, 65535))
@click.option("--url", default="", help="Address of the box's own pages for terminals of the point.")
@click.option("--slot", default="", help="The slot for old documents, such as unix:/run/servicepunkt/slot.sock.")
def box_run(
    home: Path, vault: Path | None, cabinet: str, centre: str, enrol: str, host: str, port: int, url: str, slot: str
) -> None:
    """Run a box: doors, local pages, link to the centre. Works on when the centre is away."""
    from servicepunkt.dokbox.controller.app import IN_FILES, BoxProcess, run
    from servicepunkt.dokbox.controller.environment import read_environment

    settings = read_settings(os.environ)
    environment = read_environment(os.environ)
    if environment.vault == "file":
        complain.print(f"[yellow]Keys in files: {IN_FILES}.[/] SERVICEPUNKT_BOX_VAULT chooses.")
    process = BoxProcess(
        home=home,
        vault=vault or home.with_name(home.name + "-vault"),
        cabinet=cabinet,
        centre=centre.rstrip("/"),
        enrol=enrol,
        host=host,
        port=port,
        url=url,
        slot=slot,
        secure_cookies=settings.secure_cookies,
        environment=environment,
    )
    try:
        run(process, settings.clock)
    except DokboxError as error:
        complain.print(f"[red]{error}[/]")
        sys.exit(1)


@box.command("set-aside")
@click.option("--home", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
def box_set_aside(home: Path) -> None:
    """Close the journal of a box for good, so that it begins a new one; stop the box first.

    At the centre the box has to be emptied and renewed before, on its page for staff.
    """
    from servicepunkt.dokbox.journal import set_aside

    try:
        kept = set_aside(home / "journal.sqlite", at=read_settings(os.environ).clock.now())
    except FileNotFoundError:
        raise click.UsageError(f"there is no journal in {home}") from None
    except BlockingIOError:
        complain.print("[red]A box is running on this journal; stop it first.[/]")
        sys.exit(1)
    out.print(f"Kept as {kept}. Its secrets are erased; a file that was damaged may still hold some: destroy it.")
    out.print("Start the box with --enrol and a new one-time code.")


@box.command("rotate")
@click.option("--tenant", "slug", required=True, help="Slug of the tenant.")
@click.option("--box", "box_id", required=True, help="Id of the box.")
def box_rotate(slug: str, box_id: str) -> None:
    """At the centre: have a box make its next codes with a new pepper, because the old one may be known."""
    with deployments.configured() as settings:
        asyncio.run(_rotate(settings, slug, box_id))
    out.print("Ordered; codes that are out stay valid.")


async def _rotate(settings: Settings, slug: str, box_id: str) -> None:
    from servicepunkt.dokbox.trust import service as trust

    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        await trust.order_rotation(deployment, ctx, actor=COMMAND_LINE, box_id=box_id)


@box.command("simulate")
@click.option("--kind", default=DEFAULT_KIND, show_default=True, type=click.Choice(list(KINDS)), help=describe_kinds())
@click.option("--compartments", default=48, show_default=True, type=click.IntRange(1))
@click.option("--link", required=True, help="Path of the serial line that the simulated boards offer.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=None, type=click.IntRange(0, 65535), help="Port of the picture of the cabinet.")
@click.option("--baud", default=None, type=click.IntRange(0), help="Pace of the line, 0 for none; default: the kind's.")
@click.option("--state-file", default=None, help="Keeps doors and documents over a restart.")
def box_simulate(
    kind: str, compartments: int, link: str, host: str, port: int | None, baud: int | None, state_file: str | None
) -> None:
    """Simulate a cabinet with lock boards on a serial line, with a picture that one can open, fill and close."""
    from servicepunkt.dokbox.simulator.command import run

    sys.exit(
        run(
            kind=kind,
            compartments=compartments,
            link=link,
            host=host,
            port=port,
            baud=baud,
            state_file=state_file,
        )
    )


@box.command("commission")
@click.argument("address")
@click.option("--write", "path", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Wiring file.")
def box_commission(address: str, path: Path) -> None:
    """Walk through every door of a cabinet and write down which lock is whose, and how its latches read.

    ADDRESS names the boards, as in krcu16:/dev/ttyUSB0?boards=3.
    """
    sys.exit(run_at_keyboard(address, path, out.print))


@box.command("plan")
@click.option("--documents", type=click.IntRange(0), required=True, help="Documents laid in per year.")
@click.option("--dwell-days", type=click.FloatRange(1), required=True, help="Mean days until somebody comes.")
@click.option("--refused", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.01, show_default=True)
@click.option("--days", type=click.IntRange(1, 366), default=365, show_default=True, help="Days a year of laying in.")
@click.option("--reminder", "reminders", type=click.IntRange(1), multiple=True, help="Day of a reminder; repeatable.")
@click.option(
    "--reminder-factor", type=click.FloatRange(1), default=1.5, show_default=True, help="How it moves people."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Picture over hold periods (SVG).")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def box_plan(
    documents: int,
    dwell_days: float,
    refused: float,
    days: int,
    reminders: tuple[int, ...],
    reminder_factor: float,
    plot: Path | None,
    *,
    as_json: bool,
) -> None:
    """Say how many compartments a box needs so that hardly a document finds it full, for several hold periods."""
    demand = plan.Demand(
        documents=documents, dwell_days=dwell_days, days=days, reminders=reminders, reminder_factor=reminder_factor
    )
    periods = (None, 3, 5, 7, 10, 14, 21, 28)
    plain = [plan.line(demand, hold, refused=refused) for hold in periods]
    reminded = [plan.line(demand, hold, refused=refused, reminded=True) for hold in periods]
    if plot:
        plot.write_text(plan.picture(demand, range(1, 31), refused=refused), "utf-8")
    if as_json:
        sys.stdout.write(msgspec.json.encode({"plain": plain, "reminded": reminded}).decode() + "\n")
        return
    table = Table("hold days", "erlangs", "not collected", "compartments")
    if reminders:
        table.add_column("with reminders")
        table.add_column("not collected")
    for without, with_ in zip(plain, reminded, strict=True):
        hold = "none" if without.hold_days is None else str(without.hold_days)
        row = [hold, f"{without.load:.1f}", f"{without.returned:.1%}", str(without.compartments)]
        table.add_row(*row, *([str(with_.compartments), f"{with_.returned:.1%}"] if reminders else []))
    out.print(table)


@box.command("verify")
@click.argument("journal", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def box_verify(journal: Path, as_json: bool) -> None:
    """Verify a journal: the chain, every move, and what is in the box according to it."""
    verdict = verify_journal(journal)
    if as_json:
        sys.stdout.write(msgspec.json.encode(verdict).decode() + "\n")
    else:
        table = Table("compartment", "deposit", "state")
        for deposit in verdict.deposits:
            table.add_row(str(deposit.compartment), deposit.id, str(deposit.state))
        out.print(table)
        out.print(f"{verdict.entries} entries, head {verdict.head}")
        if verdict.fault:
            out.print(f"[red]{verdict.fault}[/]")
    if verdict.fault:
        sys.exit(1)
