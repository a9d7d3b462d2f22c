"""`servicepunkt eid`: the card at this computer, as `python -m servicepunkt.eid` without the house."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path

import click

from servicepunkt.core.commands import write_json
from servicepunkt.core.settings import read_settings
from servicepunkt.eid import console
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.sdk.client import URL

reader_option = click.option(
    "--reader", default="", help="The beginning of its name; `practice`: a virtual card in this process."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


@click.group()
def eid() -> None:
    """The online ID: how a card is, a new PIN, and identifying to practise."""


@eid.command("status")
@reader_option
@json_option
def eid_status(reader: str, as_json: bool) -> None:
    """How many tries the PIN has, and whether the online function is on. Nothing is read of the person."""
    with _refusals():
        found = console.status(reader)
    if as_json:
        write_json(found)
    else:
        click.echo(console.tries_left_of(found))


@eid.command("change-pin")
@reader_option
def eid_change_pin(reader: str) -> None:
    """Choose a new PIN: of six digits, in place of the present one or of the five digits of the letter."""
    with _refusals():
        console.change_pin(reader, getpass, click.echo)
    click.echo("The new PIN is set.")


@eid.command("identify")
@click.option("--reader", required=True, type=click.Choice((console.PRACTICE,)), help="Only the virtual card.")
@json_option
def eid_identify(reader: str, as_json: bool) -> None:  # noqa: ARG001 - there is one
    """Practise identifying with the virtual card. A real one is read by the AusweisApp, for a service that may."""
    with _refusals():
        person = console.identify(getpass, lambda text: click.echo(text, err=as_json))
    if as_json:
        write_json(person)
        return
    click.echo("\n".join(console.lines_of(person)))


@eid.command("simulate")
@click.option("--home", required=True, type=click.Path(path_type=Path), help="Where its own keys are kept.")
@click.option("--secrets", required=True, type=click.Path(path_type=Path), help="The folder of the tenant's secrets.")
@click.option("--name", default="Stadt Musterhausen", help="Who asks, as the AusweisApp says it.")
@click.option("--ausweisapp", default=24727, show_default=True, type=click.IntRange(1, 65535))
@click.option("--service", default=8640, show_default=True, type=click.IntRange(1, 65535))
@click.option("--port", default=8641, show_default=True, type=click.IntRange(1, 65535), help="Of its pages.")
def eid_simulate(home: Path, secrets: Path, name: str, ausweisapp: int, service: int, port: int) -> None:
    """Simulate an AusweisApp with a card of the test person, and an eID service, until stopped."""
    from servicepunkt.eid.simulator import command

    asyncio.run(command.run(home=home, secrets=secrets, name=name, ausweisapp=ausweisapp, service=service, port=port))


@eid.command("run")
@click.option("--home", type=click.Path(path_type=Path), required=True, help="Folder of the token.")
@click.option("--centre", required=True, help="Address of the tenant at the centre.")
@click.option("--enrol", default="", help="One-time code, needed once.")
@click.option("--ausweisapp", default=URL, show_default=True, help="The AusweisApp of this computer.")
@click.option("--port", default=8630, show_default=True, type=click.IntRange(0, 65535), help="At 127.0.0.1.")
@click.option("--url", default="", help="Address under which the terminal's browser finds these pages.")
def eid_run(home: Path, centre: str, enrol: str, ausweisapp: str, port: int, url: str) -> None:
    """Run the reader of a terminal: the local pages on which people identify and look after their PIN."""
    from servicepunkt.eid.controller.app import ReaderProcess, run

    settings = read_settings(os.environ)
    process = ReaderProcess(
        home=home,
        centre=centre.rstrip("/"),
        enrol=enrol,
        ausweisapp=ausweisapp,
        port=port,
        url=url or f"http://localhost:{port}",
        # Browsers take loopback for safe, and some keep no cookie marked as secure from a page without TLS there.
        secure_cookies=url.startswith("https://"),
    )
    run(process, settings.clock)


@eid.command("wallet-demo", hidden=True)
@click.argument("tenant")
@click.argument("link")
@click.option("--mdoc", is_flag=True, help="Show the PID as mdoc.")
@click.option("--decline", is_flag=True, help="Say no in the wallet.")
def eid_wallet_demo(tenant: str, link: str, mdoc: bool, decline: bool) -> None:
    """Answer a code of a demonstration with the wallet of the test person. LINK: what the code says (openid4vp://...)."""
    from servicepunkt.eid.testing import practice_wallet, wallet

    settings = read_settings(os.environ)
    kind = wallet.MDOC if mdoc else wallet.SD_JWT
    folder = settings.home / "secrets" / tenant
    try:
        back = practice_wallet.scan(link, folder, now=settings.clock.now(), format=kind, decline=decline)
    except FileNotFoundError:
        raise click.ClickException("this tenant has no wallet to practise with") from None
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"the wallet was refused: {error}") from None
    click.echo("The wallet has answered.")
    if back:
        click.echo(f"Go on at {back}")


@contextmanager
def _refusals() -> Iterator[None]:
    """Errors of the card as sentences, with exit code 1."""
    try:
        yield
    except (EidError, ValueError) as error:
        click.echo(console.refused(error), err=True)
        sys.exit(1)
