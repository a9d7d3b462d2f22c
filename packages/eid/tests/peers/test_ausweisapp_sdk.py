"""The client against AusweisApp2 of Debian, the official client of the German eID, on this computer."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from servicepunkt.eid.sdk.client import Limits, SdkClient
from servicepunkt.eid.sdk.errors import (
    BusyError,
    EndedError,
    GivenUpError,
    LevelError,
    RefusedError,
    SlowError,
    UnreachableError,
)
from servicepunkt.eid.sdk.messages import SetCard
from servicepunkt.eid.sdk.steps import Notice, Number, Occasion
from servicepunkt.eid.testing.screen import Person

DATA = Path(__file__).parents[1] / "data" / "ausweisapp"
SIMULATOR = SetCard(name="Simulator")
LIMITS = Limits(connect=10, answer=10, app=30, person=10, card=10, cancel=10)

if not shutil.which("AusweisApp2"):
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        raise RuntimeError("AusweisApp2 missing")
    pytest.skip("AusweisApp2 is not installed (Debian: ausweisapp2)", allow_module_level=True)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One without screen, log and proxy, with a home of its own, on a port that it chooses and writes down."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    settings = {name: str(home) for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")} | {"QT_QPA_PLATFORM": "offscreen"}
    command = [
        "AusweisApp2",
        "--no-logfile",
        "--no-proxy",
        "--ui",
        "websocket",
        "--address",
        "127.0.0.1",
        "--port",
        "0",
    ]
    with subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            address = f"ws://127.0.0.1:{written_port(home / f'AusweisApp2.{process.pid}.port', process)}/eID-Kernel"
            asyncio.run(has_found_its_simulator(address))
            yield address
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def written_port(file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text().strip().isdecimal()):
        assert process.poll() is None, "AusweisApp2 did not start"
        assert time.monotonic() < deadline, "AusweisApp2 has written no port"
        time.sleep(0.05)
    return int(file.read_text())


async def has_found_its_simulator(address: str) -> None:
    """It listens before it has looked for readers."""
    async with SdkClient(address, limits=LIMITS) as client:
        for _ in range(200):
            if any(reader.insertable for reader in await client.readers()):
                return
            await asyncio.sleep(0.05)
    raise AssertionError("AusweisApp2 has no simulator")


async def test_what_it_is_and_what_it_sees(url: str) -> None:
    async with SdkClient(url, limits=LIMITS) as client:
        info = await client.info()
        assert (info.name, client.level) == ("AusweisApp2", 2)
        assert info.implementation_version.startswith("1.26.")
        assert "Simulator" in {reader.name for reader in await client.readers()}
        assert (await client.status()).workflow is None


async def test_fact_3_the_level_belongs_to_the_process(url: str) -> None:
    async with SdkClient(url, level=1, limits=LIMITS) as client:
        assert "Simulator" in {reader.name for reader in await client.readers()}  # under another key
    async with SdkClient(url, limits=LIMITS) as client:
        assert client.level == 2
        assert (await client.status()).workflow is None
    with pytest.raises(LevelError):
        async with SdkClient(url, level=3, limits=LIMITS):
            pass


async def test_it_serves_one_at_a_time(url: str) -> None:
    async with SdkClient(url, limits=LIMITS):
        with pytest.raises(BusyError) as busy:
            async with SdkClient(url, limits=LIMITS):
                pass
    assert busy.value.details == {"status": 429}
    with pytest.raises(UnreachableError) as elsewhere:
        async with SdkClient(url.replace("eID-Kernel", "eID-Client"), limits=LIMITS):
            pass
    assert elsewhere.value.details == {"status": 404}


async def test_an_address_that_nobody_serves(url: str, unused_tcp_port: int) -> None:
    async with SdkClient(url, limits=LIMITS) as client:
        person = Person()
        with pytest.raises(EndedError) as caught:
            await client.identify(f"https://localhost:{unused_tcp_port}/token", ui=person)
        assert caught.value.details == {"minor": "trustedChannelEstablishmentFailed"}
        assert person.seen == [Occasion.STARTED]
        assert (await client.status()).workflow is None


class Waiting(Person):
    def __init__(self) -> None:
        super().__init__()
        self.asked_for_card = asyncio.Event()

    def show(self, notice: Notice) -> None:
        super().show(notice)
        if notice.occasion is Occasion.INSERT_CARD:
            self.asked_for_card.set()


async def test_the_pin_is_not_changed_by_who_gives_up(url: str) -> None:
    async with SdkClient(url, limits=LIMITS) as client:
        for _ in range(2):
            person = Waiting()
            task = asyncio.create_task(client.change_pin(ui=person))
            await person.asked_for_card.wait()
            assert (await client.status()).state == "INSERT_CARD"
            with pytest.raises(BusyError):
                await client.change_pin(ui=Person())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await client.status()).workflow is None
            assert person.seen == [Occasion.STARTED, Occasion.INSERT_CARD]
        with pytest.raises(RefusedError):
            await client.change_pin(ui=Person(), card=SetCard(name="Nobody's reader"))
        assert (await client.status()).workflow is None


async def test_a_card_that_never_comes(url: str) -> None:
    async with SdkClient(url, limits=Limits(card=0.2)) as client:
        with pytest.raises(SlowError) as caught:
            await client.change_pin(ui=Person())
        assert caught.value.details == {"who": "card"}
        assert (await client.status()).workflow is None


async def test_fact_4_the_simulators_reader_has_a_keypad_and_gets_no_number(url: str) -> None:
    """1.26.2 refuses a value there; its simulator is content with every number."""
    async with SdkClient(url, limits=LIMITS) as client:
        person = Person()
        await client.change_pin(ui=person, card=SIMULATOR)
        numbers = [notice.number for notice in person.notices if notice.occasion is Occasion.KEYPAD]
        assert numbers == [Number.PIN, Number.NEW_PIN]
        assert person.questions == []
        assert (await client.status()).workflow is None


# ---- with an eID server that only pretends ------------------------------------------------------------------

TOKEN = """<?xml version="1.0" encoding="UTF-8"?><TCTokenType><ServerAddress>{base}/paos</ServerAddress>
<SessionIdentifier>abc123</SessionIdentifier><RefreshAddress>{base}/refresh</RefreshAddress>
<CommunicationErrorAddress>{base}/error</CommunicationErrorAddress>
<Binding>urn:liberty:paos:2006-08</Binding></TCTokenType>"""
GOOD_END = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header>
<sb:Correlation xmlns:sb="http://urn:liberty:sb:2003-08" messageID="Id1" refToMessageID=""/></soap:Header><soap:Body>
<StartPAOSResponse Profile="http://www.bsi.bund.de/ecard/api/1.1" xmlns="urn:iso:std:iso-iec:24727:tech:schema">
<Result xmlns="urn:oasis:names:tc:dss:1.0:core:schema">
<ResultMajor>http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok</ResultMajor></Result></StartPAOSResponse>
</soap:Body></soap:Envelope>"""
ANSWERS = {
    "StartPAOS": (DATA / "InitializeFramework.xml").read_text(),
    "InitializeFrameworkResponse": (DATA / "DIDAuthenticateEAC1.xml").read_text(),
}


class Pretender(BaseHTTPRequestHandler):
    """Asks for everything, authenticates neither itself nor the card, and says that all is well."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        base = f"https://localhost:{self.server.server_address[1]}"  # type: ignore[index]
        self._answer(TOKEN.format(base=base) if self.path == "/token" else "")

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        kind = re.search(r"<(?:\w+:)?Body>\s*<(?:\w+:)?(\w+)", said)
        message = re.search(r"MessageID>([^<]+)<", said)
        assert kind
        assert message
        answer = ANSWERS.get(kind[1], GOOD_END)
        self._answer(re.sub(r'refToMessageID="[^"]*"', f'refToMessageID="{message[1]}"', answer))

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture(scope="module")
def pretender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(own_certificate(tmp_path_factory.mktemp("tls")))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pretender)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}/token"
    server.shutdown()
    thread.join()
    server.server_close()


def own_certificate(folder: Path) -> Path:
    key = rsa.generate_private_key(65537, 3072)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


async def test_fact_1_it_is_done_although_nobody_was_identified(url: str, pretender: str) -> None:
    """No certificate of the service was proved to the card and none of the card to the service: still `ok`."""
    async with SdkClient(url, limits=LIMITS) as client:
        person = Person(rights=[])
        finished = await client.identify(pretender, ui=person, developer_mode=True, card=SIMULATOR)
        assert finished.url.startswith(pretender.replace("/token", "/refresh"))
        (request,) = person.requests
        assert request.required or request.optional
        assert request.certificate.subject_name
        assert request.validity.expiration_date < datetime.now(UTC).date()
        assert Occasion.KEYPAD in person.seen


async def test_who_does_not_agree_is_not_asked_further(url: str, pretender: str) -> None:
    async with SdkClient(url, limits=LIMITS) as client:
        person = Person(rights=None)
        with pytest.raises(GivenUpError):
            await client.identify(pretender, ui=person, developer_mode=True, card=SIMULATOR)
        assert len(person.requests) == 1
        assert Occasion.KEYPAD not in person.seen
        assert (await client.status()).workflow is None
