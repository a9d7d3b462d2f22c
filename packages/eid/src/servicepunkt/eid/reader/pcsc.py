"""Card readers by PC/SC, with pyscard: the extra `[pcsc]`. The one module that imports it, and only when it is used.

with Card(connect("REINER SCT")) as card:
    print(card.status())
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import msgspec

from servicepunkt.eid.errors import (
    CardError,
    CardRemovedError,
    MalformedError,
    NoCardError,
    NoReaderError,
    ReaderError,
)
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.reader.features import (
    GET_FEATURES,
    Established,
    Feature,
    PaceCapabilities,
    capabilities_command,
    establish_command,
    established,
    features,
)

#: SCARD_E_NOT_TRANSACTED, SCARD_W_RESET_CARD, SCARD_W_REMOVED_CARD, SCARD_W_UNPOWERED_CARD, SCARD_E_NO_SMARTCARD,
#: SCARD_E_READER_UNAVAILABLE: whatever the driver says when somebody takes the card away.
REMOVED = frozenset([0x80100016, 0x80100068, 0x80100069, 0x80100067, 0x8010000C, 0x80100017])
MOST_ANSWER = 65_538


class Reader(msgspec.Struct, frozen=True):
    """A reader of this computer, by the name that its driver gave it."""

    name: str


def readers() -> list[Reader]:
    """Those that are plugged in. Raises NoReaderError where the service does not run, or the extra is not installed."""
    return [Reader(str(one)) for one in _system_readers()]


def _system_readers() -> list[Any]:
    with _said():
        return list(import_module("smartcard.System").readers())


@contextmanager
def _said() -> Iterator[None]:
    """pyscard's exceptions as ours."""
    try:
        faults = import_module("smartcard.Exceptions")
        driver = import_module("smartcard.pcsc.PCSCExceptions")
    except ImportError as error:
        raise NoReaderError(missing="servicepunkt-eid[pcsc]") from error
    try:
        yield
    except faults.NoCardException as error:
        raise NoCardError from error
    except faults.CardConnectionException as error:
        raise (CardRemovedError() if _code(error) in REMOVED else CardError(status=f"{_code(error):08X}")) from error
    except (faults.SmartcardException, driver.BaseSCardException) as error:
        raise NoReaderError(code=f"{_code(error):08X}") from error


def _code(error: Exception) -> int:
    return int(getattr(error, "hresult", 0)) & 0xFFFFFFFF


class PcscTransport:
    """A card in a reader. See `card.transport.Transport`."""

    def __init__(self, connection: Any, name: str) -> None:
        self._connection, self.name = connection, name

    def transmit(self, command: bytes) -> bytes:
        with _said():
            data, first, second = self._connection.transmit(list(command))
        if len(data) > MOST_ANSWER:
            raise MalformedError(what="answer", why="too long")
        return bytes(data) + bytes([first, second])

    def close(self) -> None:
        with _said():
            self._connection.disconnect()

    # --- the reader itself ------------------------------------------------------------------------------------

    def features(self) -> dict[Feature, int]:
        """Nothing for a basic reader, and for one whose driver does not say."""
        try:
            return features(self._control(GET_FEATURES))
        except (CardError, ReaderError):
            return {}

    def _control(self, code: int, data: bytes = b"") -> bytes:
        with _said():
            return bytes(self._connection.control(code, list(data)))

    def pace_capabilities(self) -> PaceCapabilities | None:
        """None for a reader without PACE of its own."""
        code = self.features().get(Feature.EXECUTE_PACE)
        return None if code is None else PaceCapabilities.decode(self._control(code, capabilities_command()))

    def establish(self, kind: Secrets, *, chat: bytes = b"", description: bytes = b"") -> Established:
        """PACE by the reader: the person types at its pad. Blocks for as long as that takes. Raises ReaderError,
        WrongSecretError, NoCardError."""
        code = self.features().get(Feature.EXECUTE_PACE)
        if code is None:
            raise ReaderError(why="no PACE in this reader")
        return established(self._control(code, establish_command(kind, chat=chat, description=description)), kind)


def connect(name: str = "") -> PcscTransport:
    """The card in the first reader whose name begins so. Raises NoReaderError, NoCardError, CardError."""
    found = next((one for one in _system_readers() if str(one).startswith(name)), None)
    if found is None:
        raise NoReaderError(name=name or "any")
    with _said():
        connection = found.createConnection()
        connection.connect()
    return PcscTransport(connection, str(found))
