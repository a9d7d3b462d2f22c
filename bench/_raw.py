"""The least that an ASGI server can do: answer with bytes that lie ready, on the product's uvicorn settings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

Message = dict[str, Any]


class Ready:
    """Answers of the form {path: [headers, file with the body]}."""

    def __init__(self, listed: dict[str, tuple[list[tuple[str, str]], str]]) -> None:
        self._answers = {
            path: ([(name.encode(), value.encode()) for name, value in headers], Path(body).read_bytes())
            for path, (headers, body) in listed.items()
        }

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        del receive
        if scope["type"] != "http":
            return
        headers, body = self._answers[scope["path"]]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def serve(app: Any, port: int) -> None:
    """uvicorn as `servicepunkt serve` sets it up: one process, whichever loop and parser are installed."""
    uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", access_log=False, server_header=False, lifespan="off")
    ).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    given = parser.parse_args()
    serve(Ready(json.loads(given.answers.read_text())), given.port)
