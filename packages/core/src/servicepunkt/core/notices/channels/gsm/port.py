"""A serial port on asyncio: the only module that knows pyserial. POSIX, because the loop watches the descriptor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from servicepunkt.core.errors import MissingLibraryError, ServicepunktError

try:
    import serial  # type: ignore[import-untyped]  # pyserial 3.5 ships no types
except ImportError as error:
    raise MissingLibraryError("a modem needs a library: pip install servicepunkt-core[gsm]") from error

MOST_AT_ONCE = 4096
WRITE_SECONDS = 5.0


class PortLostError(ServicepunktError):
    """The modem cannot be opened, is used by another process, or is gone."""

    code = "SP0047"
    status = 502
    staff = "The modem cannot be reached."


class SerialPort:
    """An open port. `heard` is called with what came in, `lost` once when the port is gone."""

    def __init__(self, device: str, baud: int, *, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Raises PortLostError."""
        try:
            self._serial = serial.Serial(device, baud, timeout=0, write_timeout=WRITE_SECONDS, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortLostError(f"the modem cannot be opened ({type(error).__name__})") from None
        self._heard, self._lost = heard, lost
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._serial.fileno(), self._read)

    def write(self, data: bytes) -> None:
        """Raises PortLostError."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError):
            self.close()
            raise PortLostError from None

    def close(self) -> None:
        if self._serial.is_open:
            self._loop.remove_reader(self._serial.fileno())
            self._serial.close()

    def _read(self) -> None:
        try:
            data = self._serial.read(MOST_AT_ONCE)
        except (serial.SerialException, OSError):
            data = b""
        if data:
            self._heard(data)
        else:
            # Readable and nothing there: the other end has hung up.
            self.close()
            self._lost()
