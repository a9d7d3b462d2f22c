"""What one has to bring for a service, by what applies to oneself. Pure.

`DocumentNeed.when` says for whom a document is needed. Each different condition of a service is a question that is
answered with yes or not at all. Its number comes from its words, not from its place: an address or a QR code that was
kept asks for what it asked for, or, once the words have changed, for nothing.

`channels` are the ways on which somebody comes: what is asked for on other ways only is not his. None is every way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

import msgspec

from servicepunkt.core.catalogue.model import Channel, DocumentNeed, Service, Text, pick

LEAST, NUMBERS = 1000, 9000
MOST_CONDITIONS = 100
#: On the spot: what is asked for whatever the way, and at the service point itself.
AT_POINT: tuple[Channel, ...] = ("000", "point")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A question: its number, its own words, and what is to be brought where it applies."""

    number: int
    words: Text
    needs: tuple[DocumentNeed, ...]


def conditions(service: Service, channels: Collection[Channel] | None = None) -> list[Condition]:
    """The different conditions of what is to be brought, in the order in which they first stand there."""
    found: dict[str, list[DocumentNeed]] = {}
    # Numbers are given over all ways, so that a number means the same at a terminal and on the web.
    for need in to_bring(service):
        if key := _key(need):
            found.setdefault(key, []).append(need)
    numbers: dict[str, int] = {}
    # By their words, so that the order in the file does not matter where two words want the same number.
    for key in sorted(found)[:MOST_CONDITIONS]:
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % NUMBERS
        while number in numbers.values():
            number = (number + 1) % NUMBERS
        numbers[key] = number
    return [
        Condition(number=LEAST + numbers[key], words=_united(needs), needs=own)
        for key, needs in found.items()
        if key in numbers and (own := tuple(_on(needs, channels)))
    ]


def needs(
    service: Service, chosen: Collection[int] = (), channels: Collection[Channel] | None = None
) -> list[DocumentNeed]:
    """What somebody has to bring to whom the `chosen` conditions apply; a number that is not known changes nothing.

    What must be there comes before what may be; else the order of the editors. The same thing stands there once for
    each way on which it is asked for.
    """
    applying = {id(need) for one in conditions(service) if one.number in chosen for need in one.needs}
    found: dict[tuple[str, Channel], DocumentNeed] = {}
    for need in to_bring(service, channels):
        if not _key(need) or id(need) in applying:
            said = (_folded(need.text), need.channel)
            before = found.get(said)
            found[said] = _stricter(before, need) if before else need
    return sorted(found.values(), key=lambda need: not need.mandatory)


def handed_out(service: Service) -> list[DocumentNeed]:
    """What one gets, each thing once."""
    found: dict[str, DocumentNeed] = {}
    for need in service.documents:
        if need.direction == "out":
            found.setdefault(_folded(need.text), need)
    return list(found.values())


def to_bring(service: Service, channels: Collection[Channel] | None = None) -> list[DocumentNeed]:
    """Everything that is asked for on these ways, with its conditions, as the editors wrote it."""
    return _on((need for need in service.documents if need.direction == "in"), channels)


def _on(needs: Iterable[DocumentNeed], channels: Collection[Channel] | None) -> list[DocumentNeed]:
    return [need for need in needs if channels is None or need.channel in channels]


def _stricter(one: DocumentNeed, other: DocumentNeed) -> DocumentNeed:
    """Two conditions ask for the same thing: as original if one of them does, not optional if one of them insists."""
    return msgspec.structs.replace(
        one, original=one.original or other.original, mandatory=one.mandatory or other.mandatory
    )


def _key(need: DocumentNeed) -> str:
    return _folded(need.when)


def _folded(text: Text) -> str:
    """What two texts have in common that say the same."""
    return " ".join(pick(text, "de").casefold().split()).rstrip(".")


def _united(needs: list[DocumentNeed]) -> Text:
    """The words in every language that one of the needs has; the first one's where several have it."""
    words: Text = {}
    for need in needs:
        words = {**need.when, **words}
    return words
