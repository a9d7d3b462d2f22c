"""A network of its own, with the loopback address alone: where pcscd, vpcd and the AusweisApp run for a test.

    with Room() as room:
        room.start("pcscd", "-f", "-x")
        sock = room.connect(35963)

vpcd listens on every address, and the AusweisApp on one port for all: in a room of their own they neither meet
another test nor are reached from outside. Processes also get a folder of their own in place of /run/pcscd. Linux, as
root; needs `unshare`, `nsenter` (util-linux) and `ip` (iproute2). What was started is ended with the block.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from servicepunkt.eid.errors import EidError

Made = TypeVar("Made")
_CLONE_NEWNET = 0x40000000
#: The first process holds the room; it says that it is ready, and ends when nobody listens to it any more.
_HOLD = "mkdir -p /run/pcscd && mount -t tmpfs none /run/pcscd && ip link set lo up && echo ready && exec cat"


class RoomError(EidError):
    """A room, or a process in it, did not start."""

    code = "SP4290"
    sentence = "The room for a test could not be made."


class Room:
    """Processes and sockets within a network namespace."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="servicepunkt-room-")

    @property
    def folder(self) -> Path:
        """For homes and logs; gone with the room."""
        return Path(self._folder.name)

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(  # noqa: S603  fixed arguments
            ["unshare", "--net", "--mount", "sh", "-c", _HOLD],  # noqa: S607  wherever util-linux is
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._holder.stdout is None or self._holder.stdout.readline() != b"ready\n":
            self._close()
            raise RoomError(why="no namespace: root is needed")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for process in reversed(self._processes):
            self.end(process)
        self._holder.kill()
        self._holder.communicate()
        self._folder.cleanup()

    def within(self, *command: str) -> list[str]:
        """The command that runs another one in the room."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--mount", "--", *command]

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A program in the room; what it says goes to `folder`/<its name>.log."""
        log = self.folder / f"{Path(command[0]).name}.log"
        with log.open("ab") as said:
            process = subprocess.Popen(  # noqa: S603  the caller's own commands
                self.within(*command),
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self._processes.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes], *, seconds: float = 5.0) -> None:
        """End a program that was started here, gently for some seconds."""
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self._processes:
            self._processes.remove(process)

    def connect(self, port: int, *, seconds: float = 20.0) -> socket.socket:
        """A connection to a port of the room, as soon as somebody listens. Raises RoomError."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self._inside(lambda: socket.create_connection(("127.0.0.1", port), 2))
            except OSError as error:
                if time.monotonic() > until:
                    raise RoomError(port=port, why="nobody listens") from error
                time.sleep(0.05)

    def listen(self, port: int = 0) -> socket.socket:
        """A listening socket on the loopback address of the room."""
        return self._inside(lambda: socket.create_server(("127.0.0.1", port)))

    def _inside(self, make: Callable[[], Made]) -> Made:
        """Sockets belong for ever to the namespace in which they were made, so that a thread makes them there."""
        made: list[Made] = []
        failed: list[OSError] = []

        def enter() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/proc/{self._holder.pid}/ns/net").open() as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                    failed.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                made.append(make())
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]
