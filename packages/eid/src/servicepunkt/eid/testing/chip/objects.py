"""Data fields of commands that consist of objects, each tag once, in any order (TR-03110-3 §B.14). Pure."""

from __future__ import annotations

from servicepunkt.eid.testing.chip.apdu import Status, StatusError
from servicepunkt.eid.tlv import only, parse


def fields(data: bytes, *, needed: tuple[int, ...], allowed: tuple[int, ...] = ()) -> dict[int, bytes]:
    """Tag → value. Raises StatusError for others, doubled and missing ones, MalformedError for what is no object."""
    objects = parse(data)
    found = {one.tag: one.value for one in objects}
    if len(found) != len(objects) or not set(needed) <= set(found) <= {*needed, *allowed}:
        raise StatusError(Status.WRONG_DATA)
    return found


def dynamic(data: bytes) -> dict[int, bytes]:
    """The objects of a 'general authenticate', in their template 7C."""
    objects = parse(only(data, 0x7C))
    if len(objects) > 2:
        raise StatusError(Status.WRONG_DATA)
    return {one.tag: one.value for one in objects}
