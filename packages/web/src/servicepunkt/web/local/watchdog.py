"""Tell systemd that a program has started, and while it lives (sd_notify): one that hangs is started again.

The protocol is one datagram to the socket that NOTIFY_SOCKET names (man 3 sd_notify). Without it nothing is said.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

PAUSE = 10.0  # seconds between two signs of life where systemd asks for none


class Watchdog:
    """`environment` is the process's: NOTIFY_SOCKET, and WATCHDOG_USEC for how long systemd waits for a sign."""

    def __init__(self, environment: Mapping[str, str], sleep: Callable[[float], Awaitable[object]]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        self._pause = int(microseconds) / 3_000_000 if microseconds.isdigit() and int(microseconds) else PAUSE
        self._sleep = sleep

    async def run(self, alive: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled: a sign of life whenever `alive` returns."""
        if not self._address:
            await asyncio.Event().wait()
        self._say("READY=1")
        while True:
            await alive()
            self._say("WATCHDOG=1")
            await self._sleep(self._pause)

    def _say(self, what: str) -> None:
        # An abstract socket is written with @ for the zero byte that its name begins with.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.connect(address)
            connection.sendall(what.encode())
