"""Ports: a serial device, or a transparent gateway in the network."""

import sys
from typing import Protocol, cast

import serial  # type: ignore[import-untyped]  # pyserial 3.5 ships no types

PORT_FAULTS: tuple[type[Exception], ...] = (OSError,)  # SerialException is one
if sys.platform != "win32":
    import termios

    # pyserial lets it through when a port vanishes while it is opened or drained
    PORT_FAULTS += (termios.error,)

READ_SLICE = 0.02  # seconds one read waits for a first byte
WRITE_TIMEOUT = 1.0  # seconds


class Port(Protocol):
    """What the bus needs of a serial port; pyserial's `Serial` with a short read timeout is one."""

    @property
    def in_waiting(self) -> int: ...
    def read(self, size: int, /) -> bytes: ...
    def write(self, data: bytes, /) -> int | None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


def serial_port(path: str, baudrate: int) -> Port:
    """Open a port for this process alone: 8N1, no flow control; `tcp://HOST:PORT` is a transparent gateway.

    Raises OSError or termios.error.
    """
    if path.startswith("tcp://"):
        gateway = path.replace("tcp://", "socket://", 1)
        return cast(Port, serial.serial_for_url(gateway, timeout=READ_SLICE, write_timeout=WRITE_TIMEOUT))
    port = serial.Serial(
        port=path,
        baudrate=baudrate,
        parity=serial.PARITY_NONE,
        timeout=READ_SLICE,
        write_timeout=WRITE_TIMEOUT,
        exclusive=True,
    )
    return cast(Port, port)
