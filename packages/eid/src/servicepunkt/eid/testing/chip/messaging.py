"""Secure messaging, the chip's side (TR-03110-3 §F.3): commands unwrapped, answers wrapped. No I/O.

The counter goes up before each command and before each answer. A command with neither data nor Le is protected by the
padded header alone: there is nothing behind it that could be padded a second time.
"""

from __future__ import annotations

import msgspec

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.symmetric import BLOCK, checksum, decrypted, encrypted, fits, padded, unpadded
from servicepunkt.eid.tlv import parse, tlv

PLAIN_VALUE, CRYPTOGRAM, LENGTH, STATUS, CHECKSUM = 0x85, 0x87, 0x97, 0x99, 0x8E
#: Which objects a command may consist of, by whether its instruction is odd; the order is the one written here.
_SHAPES = {
    False: ([CHECKSUM], [CRYPTOGRAM, CHECKSUM], [LENGTH, CHECKSUM], [CRYPTOGRAM, LENGTH, CHECKSUM]),
    True: ([CHECKSUM], [PLAIN_VALUE, CHECKSUM], [LENGTH, CHECKSUM], [PLAIN_VALUE, LENGTH, CHECKSUM]),
}


class Channel:
    """A pair of keys with its counter."""

    def __init__(self, encryption: bytes, checksums: bytes) -> None:
        self._encryption = encryption
        self._checksums = checksums
        self._counter = 0

    def unwrap(self, command: Command) -> Command:
        """The command within. Raises StatusError for what is missing, or does not fit: then the keys are to be
        forgotten."""
        self._counter += 1
        try:
            objects = parse(command.data)
        except EidError as error:
            raise StatusError(Status.MESSAGING_MISSING) from error
        tags = [one.tag for one in objects]
        if CHECKSUM not in tags:
            raise StatusError(Status.MESSAGING_MISSING)
        values = {one.tag: one.value for one in objects}
        protected = b"".join(bytes(one) for one in objects if one.tag != CHECKSUM)
        if tags not in _SHAPES[bool(command.ins & 1)] or not fits(
            self._checksums, self._protected(padded(command.header), protected), values[CHECKSUM]
        ):
            raise StatusError(Status.MESSAGING_WRONG)
        return msgspec.structs.replace(
            command,
            cla=command.cla & ~0x0C,
            data=self._data(values),
            expected=_expected(values[LENGTH]) if LENGTH in values else None,
        )

    def wrap(self, data: bytes, status: int) -> bytes:
        """An answer, with the status word inside and outside."""
        self._counter += 1
        objects = tlv(CRYPTOGRAM, b"\x01" + encrypted(self._encryption, padded(data), self._start())) if data else b""
        objects += tlv(STATUS, status.to_bytes(2, "big"))
        return (
            objects
            + tlv(CHECKSUM, checksum(self._checksums, self._protected(b"", objects)))
            + status.to_bytes(2, "big")
        )

    def _protected(self, header: bytes, objects: bytes) -> bytes:
        counter = self._counter.to_bytes(BLOCK, "big")
        return padded(counter + header + objects) if objects else counter + header

    def _start(self) -> bytes:
        return encrypted(self._encryption, self._counter.to_bytes(BLOCK, "big"))

    def _data(self, values: dict[int, bytes]) -> bytes:
        if CRYPTOGRAM in values:
            if values[CRYPTOGRAM][:1] != b"\x01":
                raise StatusError(Status.MESSAGING_WRONG)
            cryptogram = values[CRYPTOGRAM][1:]
        elif PLAIN_VALUE in values:
            cryptogram = values[PLAIN_VALUE]
        else:
            return b""
        try:
            return unpadded(decrypted(self._encryption, cryptogram, self._start()))
        except EidError as error:
            raise StatusError(Status.MESSAGING_WRONG) from error


def _expected(value: bytes) -> int:
    match len(value):
        case 1:
            return value[0] or 256
        case 2:
            return int.from_bytes(value, "big") or 65_536
    raise StatusError(Status.MESSAGING_WRONG)
