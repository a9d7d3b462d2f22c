"""Run the simulated desk until it is told to stop: AusweisApp, eID service, pages."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from cryptography import x509

from servicepunkt.eid.simulator import certificates
from servicepunkt.eid.simulator.ausweisapp import SimulatedAusweisApp
from servicepunkt.eid.simulator.pages import create_desk
from servicepunkt.eid.simulator.service import SimulatedService
from servicepunkt.eid.testing import practice_wallet
from servicepunkt.eid.testing.eid_server import EidServer
from servicepunkt.web.server import serving, stop_on_signals


async def run(*, home: Path, secrets: Path, name: str, ausweisapp: int, service: int, port: int) -> None:
    """Until SIGTERM or SIGINT. `secrets` is the folder in which the tenant finds its certificates, `name` what it is
    called in the certificate of its terminal."""
    certificates.prepare(secrets, home)
    practice_wallet.write_practice(secrets, now=datetime.now(UTC))
    server = EidServer(
        signer=certificates.signer(home / certificates.SERVICE, home / certificates.SERVICE_KEY),
        client=x509.load_pem_x509_certificate((secrets / certificates.TOWN).read_bytes()),
        now=lambda: datetime.now(UTC),
    )
    stop = stop_on_signals()
    with SimulatedService(server, certificates.server_context(secrets, home), service) as running:
        app = SimulatedAusweisApp(running.fetch, port=ausweisapp, subject=name)
        async with app, serving(create_desk(app, partial(scan, secrets)), host="127.0.0.1", port=port):
            click.echo(f"simulated card: http://127.0.0.1:{port}/, AusweisApp {app.url}, eID service {running.address}")
            await stop.wait()


def scan(secrets: Path, link: str) -> str:
    """The test person's wallet answers a link; how it went."""
    try:
        back = practice_wallet.scan(link, secrets, now=datetime.now(UTC))
    except (OSError, ValueError, KeyError) as error:
        return f"✗ {error}"
    return f"✓ {back}"
