"""An OpenID provider for tests that says whatever it is told to: the honest answer, or one of many lies."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwk, jws
from joserfc.errors import SecurityWarning

CLIENT = "punkt"
SECRET = "a secret of the town & more"


class Provider:
    """`lie` holds what is said in place of the truth: claims of the ID token, fields of the discovery document."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.issuer = ""
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, private=True)
        self.asked: list[str] = []
        self.posted: list[dict[str, list[str]]] = []
        self.claims: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None
        self.nonce = ""
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.bodies: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self.patience = threading.Event()
        self.slow = ""
        self.person = {"sub": "4711", "name": "Anna Amt", "groups": ["desk"]}

    def signed(self, claims: Mapping[str, Any], *, alg: str = "RS256", key: Any = None, **header: str) -> str:
        head = {"alg": alg, "kid": "first", **header}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # for the name EdDSA
            found: str = jws.serialize_compact(head, json.dumps(claims).encode(), key or self.key, algorithms=[alg])
        return found

    def id_token(self) -> str:
        now = int(self._now())
        honest = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": self.nonce}
        told = honest | self.person | self.claims
        return self.sign({name: value for name, value in told.items() if value is not None})

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append(path)
        if path == self.slow:
            self.patience.wait(30)
        if path in self.bodies:
            return self.bodies[path]
        match path:
            case "/.well-known/openid-configuration":
                places = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
                places |= {"userinfo_endpoint": "me"} if self.userinfo is not None else {}
                said = {name: f"{self.issuer}/{place}" for name, place in places.items()}
                return 200, json.dumps({"issuer": self.issuer} | said | self.document).encode()
            case "/keys":
                return 200, json.dumps({"keys": [self.key.as_dict(private=False)]}).encode()
            case "/token":
                self.posted.append(parse_qs(body.decode()))
                return 200, json.dumps({"id_token": self.id_token(), "access_token": "once"}).encode()
            case "/me":
                return 200, json.dumps(self.userinfo).encode()
        return 404, b""

    def sent_to(self, location: str) -> dict[str, str]:
        """What a browser that comes to the authorization endpoint brings along; the nonce is kept."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        self.nonce = query["nonce"]
        return query


@contextmanager
def listening(now: Callable[[], float] = time.time) -> Iterator[Provider]:
    provider = Provider(now)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            status, body = provider.answer(urlsplit(self.path).path, self.rfile.read(length))
            self.send_response(status)
            for name, value in provider.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # who asked has had enough

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *_: Any) -> None:
            """A test's output stays its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield provider
    finally:
        provider.patience.set()
        server.shutdown()
        server.server_close()
        thread.join()
