"""Secure messaging: what is said to a card is enciphered and has a checksum (TR-03110-3 §F). Pure.

The send sequence counter begins at 0 with each pair of keys and is counted up before every command and before every
answer, so that nothing can be repeated, left out or put in another order.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from servicepunkt.eid.card.apdu import ALL, ALL_EXTENDED, Answer, Command
from servicepunkt.eid.errors import CryptoError, MalformedError
from servicepunkt.eid.tlv import Tlv, parse, tlv

BLOCK = 16
CHECKSUM = 8
#: For what a key is derived (TR-03110-3 §A.2.3).
FOR_ENCRYPTION, FOR_CHECKSUM, FOR_PASSWORD = 1, 2, 3


def derive(shared: bytes, purpose: int, *, nonce: bytes = b"", size: int = 16) -> bytes:
    """A key for AES of 16, 24 or 32 bytes from a shared secret (TR-03110-3 §A.2.3)."""
    data = shared + nonce + purpose.to_bytes(4, "big")
    digest = hashlib.sha1(data).digest() if size == 16 else hashlib.sha256(data).digest()  # noqa: S324 - the standard
    return digest[:size]


def checksum(key: bytes, data: bytes) -> bytes:
    """CMAC with AES, the first eight bytes."""
    made = CMAC(algorithms.AES(key))
    made.update(data)
    return made.finalize()[:CHECKSUM]


def decipher(key: bytes, data: bytes, vector: bytes = bytes(BLOCK)) -> bytes:
    """AES-CBC. Raises MalformedError for anything but whole blocks."""
    if not data or len(data) % BLOCK:
        raise MalformedError(what="cryptogram", why="no whole blocks")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)


def unpad(data: bytes) -> bytes:
    """Raises MalformedError."""
    stripped = data.rstrip(b"\0")
    if not stripped.endswith(b"\x80") or len(data) - len(stripped) >= BLOCK:
        raise MalformedError(what="padding", why="not 80 00 ...")
    return stripped[:-1]


class SecureMessaging:
    """The protected channel of one authentication. After the first thing that does not fit it is closed for good."""

    def __init__(self, encryption: bytes, authentication: bytes) -> None:
        self._encryption, self._authentication = encryption, authentication
        self._counter = 0
        self.is_open = True

    @classmethod
    def derived(cls, shared: bytes, *, nonce: bytes = b"", size: int = 16) -> SecureMessaging:
        """From the shared secret of PACE, or of chip authentication with its nonce."""
        return cls(
            derive(shared, FOR_ENCRYPTION, nonce=nonce, size=size), derive(shared, FOR_CHECKSUM, nonce=nonce, size=size)
        )

    def __repr__(self) -> str:
        return f"SecureMessaging({'open' if self.is_open else 'closed'})"

    def wrap(self, command: Command) -> Command:
        """Raises CryptoError on a channel that is closed."""
        if not self.is_open:
            raise CryptoError(what="channel", why="closed")
        self._counter += 1
        header = bytes([command.cla | 0x0C, command.ins, command.p1, command.p2])
        objects = b""
        if command.data:
            encryptor = Cipher(algorithms.AES(self._encryption), modes.CBC(self._vector())).encryptor()
            cryptogram = encryptor.update(pad(command.data)) + encryptor.finalize()
            # Odd instructions carry objects themselves, and no byte that tells how they are padded.
            objects += tlv(0x85, cryptogram) if command.ins & 1 else tlv(0x87, b"\x01", cryptogram)
        if command.le is not None:
            size, most = (1, ALL) if command.le <= ALL else (2, ALL_EXTENDED)
            objects += tlv(0x97, (command.le % most).to_bytes(size, "big"))
        # Where there are no objects, the header's own padding is all: a second one is the most common mistake here.
        protected = self._count() + pad(header)
        mac = checksum(self._authentication, pad(protected + objects) if objects else protected)
        data = objects + tlv(0x8E, mac)
        is_long = len(data) > 255 or (command.le or 0) > ALL
        return Command(header[0], header[1], header[2], header[3], data, ALL_EXTENDED if is_long else ALL)

    def unwrap(self, answer: Answer) -> Answer:
        """Raises MalformedError or CryptoError, and closes the channel then; so does an answer without protection."""
        try:
            return self._unwrapped(answer)
        except BaseException:
            self.close()
            raise

    def _unwrapped(self, answer: Answer) -> Answer:
        if not self.is_open:
            raise CryptoError(what="channel", why="closed")
        self._counter += 1
        if not answer.data:
            self.close()
            return answer  # the card has thrown the keys away and says why
        objects = parse(answer.data)
        found = {one.tag: one.value for one in objects}
        if [one.tag for one in objects] not in ([0x87, 0x99, 0x8E], [0x85, 0x99, 0x8E], [0x99, 0x8E]):
            raise MalformedError(what="secure messaging", why="other objects, or in another order")
        protected = b"".join(bytes(Tlv(one.tag, one.value)) for one in objects[:-1])
        expected = checksum(self._authentication, pad(self._count() + protected))
        if not hmac.compare_digest(expected, found[0x8E]):
            raise CryptoError(what="checksum", why="does not fit")
        if len(found[0x99]) != 2 or found[0x99] != answer.status.to_bytes(2, "big"):
            raise CryptoError(what="status", why="changed on its way")
        return Answer(self._plain(found), answer.status)

    def _plain(self, found: dict[int, bytes]) -> bytes:
        if 0x85 in found:
            return unpad(decipher(self._encryption, found[0x85], self._vector()))
        if 0x87 not in found:
            return b""
        if not found[0x87].startswith(b"\x01"):
            raise MalformedError(what="cryptogram", why="padded in another way")
        return unpad(decipher(self._encryption, found[0x87][1:], self._vector()))

    def close(self) -> None:
        """Forget the keys."""
        self.is_open = False
        self._encryption = self._authentication = bytes(len(self._encryption))

    def _count(self) -> bytes:
        return self._counter.to_bytes(BLOCK, "big")

    def _vector(self) -> bytes:
        encryptor = Cipher(algorithms.AES(self._encryption), modes.ECB()).encryptor()  # noqa: S305 - one block
        return encryptor.update(self._count()) + encryptor.finalize()
