"""Whether something is still in the memory of this process, for tests: in any text that a living object holds.

What is looked for is known by its digest alone, so that the search does not find itself. Digits, because they stay the
same in every encoding.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator


def digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def pieces(found: object, length: int) -> Iterator[bytes]:
    """Every run of `length` bytes in a text or buffer."""
    raw = found.encode("utf-8", "replace") if isinstance(found, str) else bytes(found)  # type: ignore[call-overload]
    if len(raw) <= 65536:
        yield from (raw[at : at + length] for at in range(len(raw) - length + 1) if raw[at : at + length].isdigit())


def on_the_heap(wanted: str, length: int) -> list[str]:
    """What holds a text of this digest. The test itself knows the digest alone."""
    gc.collect()
    found = []
    for holder in gc.get_objects():
        held = gc.get_referents(holder)
        # Containers of nothing but texts are none that the collector tracks.
        held += [inner for outer in held if type(outer) in (dict, tuple) for inner in gc.get_referents(outer)]
        texts = (text for text in held if type(text) in (str, bytes, bytearray) and len(text) >= length)
        if any(digest(piece) == wanted for text in texts for piece in pieces(text, length)):
            found.append(type(holder).__name__)
    return found
