"""Many visitors of one tenant, each from an address of their own, as fast as they are answered: `_flood.py PORT PATH
SECONDS CONNECTIONS`. Prints how many answers had which status, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

from _processes import HOST

ADDRESSES = 5000


async def ask(request: bytes, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> int:
    """Send one request over an open connection; its status once the whole answer is there."""
    reader, writer = connection
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))[15:])
    await reader.readexactly(length)
    return int(head[9:12])


def request_of(path: str, visitor: int) -> bytes:
    """A request as the reverse proxy hands it on. Addresses are those for documentation (RFC 3849)."""
    address = f"2001:db8:{visitor:x}::1"
    return f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\nx-forwarded-for: {address}\r\n\r\n".encode()


async def flood(port: int, path: str, seconds: float, connections: int) -> Counter[int]:
    end, statuses = time.monotonic() + seconds, Counter[int]()

    async def visitor(first: int) -> None:
        connection = await asyncio.open_connection(HOST, port)
        number = first
        while time.monotonic() < end:
            statuses[await ask(request_of(path, number % ADDRESSES), connection)] += 1
            number += connections
        connection[1].close()

    await asyncio.gather(*(visitor(number) for number in range(connections)))
    return statuses


if __name__ == "__main__":
    port, path, seconds, connections = sys.argv[1:]
    print(json.dumps(asyncio.run(flood(int(port), path, float(seconds), int(connections)))))
