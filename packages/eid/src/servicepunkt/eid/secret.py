"""PIN, CAN and PUK in memory: a buffer that is wiped, with a masked `repr`.

Python copies what it works with, so that this keeps the time short for which a secret lies about; it is no vault.
"""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn, Self


class Secret:
    """A secret of ASCII characters. `with secret:` wipes it at the end; it is never compared, hashed or pickled."""

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_buffer", "_wiped")

    def __init__(self, value: str | bytes | bytearray) -> None:
        """Raises ValueError for anything but printable ASCII, and never repeats the value."""
        data = value.encode("utf-8") if isinstance(value, str) else value
        if not data or len(data) > 64 or any(not 0x20 < byte < 0x7F for byte in data):
            raise ValueError("no secret: 1 to 64 printable ASCII characters")
        self._buffer = bytearray(data)
        self._wiped = False

    def reveal(self) -> bytes:
        """The characters, for the one calculation that needs them. Raises ValueError after it was wiped."""
        if self._wiped:
            raise ValueError("the secret was wiped")
        return bytes(self._buffer)

    def is_digits(self, *lengths: int) -> bool:
        """Whether it consists of so many digits."""
        return len(self._buffer) in lengths and all(0x30 <= byte <= 0x39 for byte in self._buffer)

    def wipe(self) -> None:
        """Write zeros over it; what is wiped stays so."""
        for index in range(len(self._buffer)):
            self._buffer[index] = 0
        self._wiped = True

    def __len__(self) -> int:
        return len(self._buffer)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def __del__(self) -> None:
        if hasattr(self, "_buffer"):
            self.wipe()
