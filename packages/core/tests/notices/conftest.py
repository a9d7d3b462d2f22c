"""A gateway of our generic shape as a real HTTP server on this computer, which can be told to fail or to be slow."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment


@pytest.fixture
async def running(
    urls: Urls, make_host: Any, hooks: dict[str, Any], clock: FixedClock, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """A deployment with a plugin `post`, whose hooks each module names."""
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, make_host(post=hooks), clock=clock) as made:
        yield made


class Gateway(ThreadingHTTPServer):
    """Takes messages as JSON, form or query; `status`, `answer` and `broken` say what it does instead."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.kept: list[dict[str, Any]] = []
        self.headers_seen: list[dict[str, str]] = []
        self.status = 200
        self.answer: bytes | None = None
        self.broken = False
        super().__init__(("127.0.0.1", 0), Desk)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/sms"

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.kept]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Desk(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self.take({key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] == "application/json":
            self.take(json.loads(body))
        else:
            self.take({key: values[0] for key, values in parse_qs(body.decode()).items()})

    def take(self, message: dict[str, Any]) -> None:
        if self.server.broken:
            self.connection.close()
            return
        self.server.headers_seen.append({key.lower(): value for key, value in self.headers.items()})
        if 200 <= self.server.status < 300:
            self.server.kept.append(message)
        answer = self.server.answer
        if answer is None:
            answer = json.dumps({"id": f"{self.server.name}-{len(self.server.kept)}"}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


def served(name: str) -> Iterator[Gateway]:
    with Gateway(name) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def north() -> Iterator[Gateway]:
    yield from served("north")


@pytest.fixture
def south() -> Iterator[Gateway]:
    yield from served("south")
