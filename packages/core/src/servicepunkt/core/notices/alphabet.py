"""The alphabet of an SMS (3GPP TS 23.038, 6.2.1) and how many segments a text takes. Pure."""

from __future__ import annotations

from servicepunkt.core.notices.model import DeliveryError

ESCAPE = 0x1B
# In the order of the table, so that a character's place is its septet; 1B leads to the extension.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
PLACES = {character: place for place, character in enumerate(BASIC) if place != ESCAPE}


class AlphabetError(DeliveryError):
    """A text holds a character that no SMS of ours may hold: templates are checked before, so a value did."""

    code = "SP0041"
    staff = "The text does not fit into the alphabet of an SMS."

    def __init__(self) -> None:
        super().__init__(permanent=True)


def fits(character: str) -> bool:
    return character in PLACES or character in EXTENSION


def septets(text: str) -> bytes:
    """One octet a septet (SMPP's default alphabet, unpacked). Raises AlphabetError."""
    found = bytearray()
    for character in text:
        if character in PLACES:
            found.append(PLACES[character])
        elif character in EXTENSION:
            found += bytes((ESCAPE, EXTENSION[character]))
        else:
            raise AlphabetError
    return bytes(found)


def size(text: str) -> int:
    """How many septets a text takes; what does not fit into the alphabet counts as one."""
    return sum(2 if character in EXTENSION else 1 for character in text)


def sms_segments(text: str) -> tuple[str, int]:
    """(alphabet, count of segments): GSM-7 holds 160 septets or 153 in each of several, UCS-2 70 or 67."""
    if all(fits(character) for character in text):
        return "GSM-7", _segments([2 if character in EXTENSION else 1 for character in text], 160, 153)
    return "UCS-2", _segments([2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67)


def _segments(sizes: list[int], alone: int, part: int) -> int:
    """How many segments take characters of these sizes, none of which may be cut in two."""
    if sum(sizes) <= alone:
        return 1
    count, filled = 1, 0
    for size in sizes:
        if filled + size > part:
            count, filled = count + 1, 0
        filled += size
    return count
