"""The eID service of the simulator: sessions over SOAP as in TR-03130, and what the simulated card says in them."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Mapping
from datetime import date
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
from lxml import etree

from servicepunkt.eid.model import Answers, Attributes
from servicepunkt.eid.service.model import OPERATIONS, UnreachableError
from servicepunkt.eid.service.soap import MOST_BYTES
from servicepunkt.eid.simulator.ausweisapp import Task
from servicepunkt.eid.testing.eid_server import EidServer, Held
from servicepunkt.eid.testing.person import ERIKA
from servicepunkt.eid.wallet.attributes import is_so_old

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
#: What the AusweisApp calls an operation of the service, where it has another name for it.
RIGHTS: Mapping[str, str] = {
    "IssuingState": "IssuingCountry",
    "DateOfExpiry": "ValidUntil",
    "FamilyNames": "FamilyName",
    "AcademicTitle": "DoctoralDegree",
    "PlaceOfResidence": "Address",
    "RestrictedID": "Pseudonym",
    "PlaceVerification": "AddressVerification",
}


def right_of(operation: str) -> str:
    return RIGHTS.get(operation, operation)


class SimulatedService:
    """The service on a port of this computer, in a thread, for the time of a `with` block."""

    def __init__(self, server: EidServer, context: ssl.SSLContext, port: int) -> None:
        self._server = server
        self._web = _Server(("127.0.0.1", port), _Handler)
        self._web.context, self._web.service = context, server
        self._thread = threading.Thread(target=self._web.serve_forever, name="eid-service", daemon=True)

    @property
    def address(self) -> str:
        return f"https://localhost:{self._web.server_address[1]}/eid"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._web.shutdown()
        self._thread.join()
        self._web.server_close()

    def fetch(self, address: str) -> Task:
        """What a TcToken leads to. Raises UnreachableError: also for one that is not on this computer."""
        if urlsplit(address).hostname not in LOOPBACK:
            raise UnreachableError(why="not on this computer")
        try:
            answer = httpx.get(address, timeout=10, trust_env=False)
            token = etree.fromstring(answer.content[:MOST_BYTES], etree.XMLParser(resolve_entities=False))
        except (httpx.HTTPError, etree.XMLSyntaxError) as error:
            raise UnreachableError(why=type(error).__name__) from error
        found = self._server.find(token.findtext("SessionIdentifier", ""))
        if answer.status_code != 200 or found is None:
            raise UnreachableError(why="no session")
        session, held = found
        wanted = {
            wish: [name for name, said in held.operations.items() if said == wish] for wish in held.operations.values()
        }
        return Task(
            required=tuple(map(right_of, wanted.get("REQUIRED", ()))),
            optional=tuple(map(right_of, wanted.get("ALLOWED", ()))),
            finish=lambda allowed: self._server.finish(session, *said_by_card(held, allowed)),
        )


def said_by_card(held: Held, allowed: frozenset[str]) -> tuple[Attributes, Answers]:
    """What the test person's card says of what was allowed."""
    operations = [name for name in held.operations if right_of(name) in allowed]
    names = {OPERATIONS[name] for name in operations} & {*ERIKA.held()}
    born = ERIKA.date_of_birth
    assert born is not None
    return Attributes(**{name: getattr(ERIKA, name) for name in names}), Answers(
        old_enough=is_so_old(born, held.age or 0, date.today()) if "AgeVerification" in operations else None,  # noqa: DTZ011
        lives_there=ERIKA.community_id.startswith(held.community) if "PlaceVerification" in operations else None,
    )


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext
    service: EidServer

    def finish_request(self, request: object, client_address: object) -> None:
        """TLS in the thread of the connection, so that a slow client holds up nobody."""
        request.settimeout(30)  # type: ignore[attr-defined]
        with self.context.wrap_socket(request, server_side=True) as secured:  # type: ignore[arg-type]
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that break off are no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True
            self.send_error(413)
            return
        status, answer = self.server.service.answer(self.rfile.read(int(length)))
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
        """Nothing: what is said here is of a person, though of an invented one."""
