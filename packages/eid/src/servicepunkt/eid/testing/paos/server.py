"""The test server as HTTPS on a socket: /token, /paos, and pages for the end. Transport; the protocol is in
`conversation`."""

from __future__ import annotations

import http.server
import secrets
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.paos import messages
from servicepunkt.eid.testing.paos.conversation import Conversation, Request
from servicepunkt.eid.testing.paos.errors import MessageError
from servicepunkt.eid.testing.pki import Signer

#: Sessions that a server holds; the oldest make room.
MOST_SESSIONS = 16


class PaosServer:
    """A server for the time of a `with` block, in a thread of its own.

        with PaosServer(sock, signer, request) as server:
            server.token_url(session := server.new_session(request))
            server.conversations[session].result

    `listening`: a listening TCP socket on the loopback address; `certificate` is what it shows.
    """

    def __init__(self, listening: socket.socket, certificate: Signer) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.address = f"https://localhost:{listening.getsockname()[1]}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2  # what AusweisApp2 1.26 speaks
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(certificate.pem)
            file.flush()
            context.load_cert_chain(file.name)
        self._server = _Server(listening, context, self.answer)
        self._thread = threading.Thread(target=self._server.serve_forever, name="paos", daemon=True)

    def new_session(self, request: Request) -> str:
        """Its identifier; the client finds it by `token_url`."""
        session = secrets.token_hex(16)
        while len(self.conversations) >= MOST_SESSIONS:
            del self.conversations[next(iter(self.conversations))]
        self.conversations[session] = Conversation(session, request)
        return session

    def token_url(self, session: str) -> str:
        return f"{self.address}/token?session={session}"

    def answer(self, path: str, posted: bytes | None) -> tuple[int, str, bytes]:
        """Status, kind and contents of a page."""
        page, _, session = path.partition("?session=")
        if posted is not None and page == "/paos":
            return self._converse(posted)
        if posted is None and page == "/token" and session in self.conversations:
            return 200, "text/xml; charset=utf-8", self._token(session)
        if posted is None and page in ("/refresh", "/error"):
            return 200, "text/plain; charset=utf-8", page.encode()
        return 404, "text/plain; charset=utf-8", b"not found"

    def _token(self, session: str) -> bytes:
        return messages.tc_token(
            server=f"{self.address}/paos",
            session=session,
            refresh=f"{self.address}/refresh?session={session}",
            error=f"{self.address}/error?session={session}",
        )

    def _converse(self, posted: bytes) -> tuple[int, str, bytes]:
        """A message goes to the session that it names in its first, or that awaits an answer to what was sent."""
        try:
            message = messages.parse(posted)
            conversation = self._of(message)
            return 200, "text/xml; charset=utf-8", conversation.receive(posted)
        except EidError:
            body = messages.paos_response(is_ok=False)
            return 200, "text/xml; charset=utf-8", messages.envelope(body, message_id="end", relates_to="")

    def _of(self, message: messages.Message) -> Conversation:
        if isinstance(message.body, messages.StartPaos):
            named = self.conversations.get(message.body.session)
        else:
            named = next((one for one in self.conversations.values() if one.awaits(message)), None)
        if named is None:
            raise MessageError(why="no such session")
        return named

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, listening: socket.socket, context: ssl.SSLContext,
        answer: Callable[[str, bytes | None], tuple[int, str, bytes]],
    ) -> None:  # fmt: skip
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.context = context
        self.answer = answer

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """TLS in the thread of the connection, so that a slow client holds up nobody."""
        request.settimeout(30)
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that break off are no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._send(*self.server.answer(self.path, None))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > messages.MOST_BYTES:
            self.close_connection = True
            self._send(413, "text/plain", b"too long")
            return
        self._send(*self.server.answer(self.path, self.rfile.read(int(length))))

    def _send(self, status: int, kind: str, contents: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(contents)))
        self.end_headers()
        self.wfile.write(contents)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
        """Nothing: paths hold sessions."""
