"""An unmodified AusweisApp2 fetches our TcToken, reads a virtual card, and what it read comes back through the eID
service to the page of the terminal."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import uvicorn

from servicepunkt.core.identification import IdentityWish
from servicepunkt.core.testing import FixedClock
from servicepunkt.eid.cvc import CertificateDescription
from servicepunkt.eid.sessions.card import CardDoor
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip, FaultyChip
from servicepunkt.eid.testing.eid_service import EidTestService
from servicepunkt.eid.testing.paos import PaosServer
from servicepunkt.eid.testing.person import ERIKA, PIN
from servicepunkt.eid.testing.pki import Signer, new_server
from servicepunkt.eid.testing.room import Room

if TYPE_CHECKING:
    from conftest import Bought, House

OK = "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok"


@pytest.fixture
def clock() -> FixedClock:
    """Both sides look at the clock of the machine."""
    return FixedClock(datetime.now(UTC))


def attached(app: Any, paos: PaosServer) -> Any:
    """The pages and, below /paos, the eID server: an AusweisApp without a key wants both behind one TLS session."""

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/paos":
            await app(scope, receive, send)
            return
        posted, more = b"", True
        while more:
            part = await receive()
            posted, more = posted + part["body"], part["more_body"]
        status, kind, body = await asyncio.to_thread(paos.answer, "/paos", posted)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return both


@asynccontextmanager
async def https(app: Any, sock: Any, certificate: Signer, folder: Path) -> AsyncIterator[None]:
    """The pages on a socket of the room."""
    file = folder / "server.pem"
    file.write_bytes(certificate.pem)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ssl_certfile=str(file))
    config.load()
    assert config.ssl
    config.ssl.maximum_version = ssl.TLSVersion.TLSv1_2  # what AusweisApp2 1.26 speaks
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def test_read_by_an_ausweisapp(
    house: House, room: Room, person: Callable[[FaultyChip], Any], bought: Bought, clock: FixedClock
) -> None:
    today = clock.now().date()
    certificate, authorities = new_server(today=today), Authorities.new(today=today)
    sock = room.listen()
    origin = f"https://localhost:{sock.getsockname()[1]}"
    with PaosServer(room.listen(), certificate) as paos:
        description = CertificateDescription(
            issuer_name="Test DV", issuer_url=origin, subject_name="Stadt Seeburg", subject_url=origin,
            terms="Zweck: Test", communication_certificates=(hashlib.sha256(certificate.der).digest(),),
        )  # fmt: skip
        service = EidTestService(bought.server, paos, authorities, description)
        bought.answer_with = service.answer
        alpha = await house.at(origin, f"{origin}/paos")
        wish = IdentityWish(
            key=uuid4(), purpose={"de": "Für Ihr Führungszeugnis."}, required=("family_names", "address"),
            optional=("place_of_birth", "birth_name"), age=18, return_path="/back",
        )  # fmt: skip
        async with house.deployment.database.tenant(alpha) as tx:
            path = await CardDoor().begin(house.deployment, tx, wish)
        async with house.browser() as visit, https(attached(house.app, paos), sock, certificate, room.folder):
            address = house.link_in((await visit.get(f"/t/alpha{path}")).text)
            assert address.startswith(f"{origin}/t/alpha/eid/")
            async with person(FaultyChip(Chip(authorities.card()))) as somebody:
                said = await somebody.identify(address, PIN, rights=["PlaceOfBirth"])
            assert said["result"]["major"] == OK
            assert said["url"].startswith(f"{origin}/t/alpha{path}/back?proof=")
            answer = await visit.get(said["url"].removeprefix(origin))
            assert answer.headers["location"] == f"/t/alpha/back?key={wish.key}"
    async with house.deployment.database.tenant(alpha) as tx:
        found = await CardDoor().take(house.deployment, tx, wish.key)
    assert found is not None
    assert (found.level, found.old_enough) == (3, True)
    assert found.attributes == {
        "family_names": "MUSTERMANN",
        "address": str(ERIKA.address),
        "place_of_birth": "BERLIN",
    }
