"""The terminal's side for tests of the virtual card and for the small eID server: PACE, terminal and chip
authentication, secure messaging. No I/O.

    terminal = Terminal(chip.answer)
    terminal.enter(Secrets.PIN, "123456", holder, chain)
    terminal.read_all(4)    # the given names

Plain on purpose: whoever wants to use a card takes the driver, which is written by other hands.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from servicepunkt.eid.curve import BRAINPOOL_P256 as CURVE
from servicepunkt.eid.cvc import Certificate, path, sign
from servicepunkt.eid.errors import CardError, CryptoError, MalformedError
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat
from servicepunkt.eid.testing.chip.apdu import Command
from servicepunkt.eid.testing.pki import SECURITY_OBJECT, SIGNED_DATA, Holder
from servicepunkt.eid.testing.symmetric import (
    CHECKSUM,
    ENCRYPTION,
    PASSWORD,
    checksum,
    decrypted,
    derived,
    encrypted,
    fits,
    padded,
    token,
    unpadded,
)  # fmt: skip
from servicepunkt.eid.tlv import find, need, only, parse, tlv

Transmit = Callable[[bytes], bytes]
Randomness = Callable[[int], bytes]

PACE_PROTOCOL = bytes.fromhex("04007F00070202040202")
CHIP_PROTOCOL = bytes.fromhex("04007F00070202030202")
CHIP_PUBLIC_KEY = bytes.fromhex("04007F000702020102")
#: id-DateOfBirth, id-DateOfExpiry, id-CommunityID: what a card answers with yes or no.
AUXILIARY = bytes.fromhex("04007F0007030104")
AGE, EXPIRY, COMMUNITY = 1, 2, 3


class TerminalChannel:
    """Secure messaging. Commands may be wrapped far ahead: answers are unwrapped in the same order."""

    def __init__(self, encryption: bytes, checksums: bytes) -> None:
        self._encryption, self._checksums = encryption, checksums
        self._sent = self._received = 0

    def wrap(self, command: Command) -> bytes:
        self._sent += 1
        counter = 2 * self._sent - 1
        header = bytes([command.cla | 0x0C, command.ins, command.p1, command.p2])
        objects = b""
        if command.data:
            cryptogram = encrypted(self._encryption, padded(command.data), self._start(counter))
            objects += tlv(0x85, cryptogram) if command.ins & 1 else tlv(0x87, b"\x01" + cryptogram)
        if command.expected is not None:
            size = 1 if command.expected <= 256 else 2
            objects += tlv(0x97, (command.expected % 256**size).to_bytes(size, "big"))
        before = counter.to_bytes(16, "big") + padded(header)
        objects += tlv(0x8E, checksum(self._checksums, padded(before + objects) if objects else before))
        is_long = len(objects) > 255 or (command.expected or 0) > 256
        return msgspec.structs.replace(
            command, cla=header[0], data=objects, expected=65_536 if is_long else 256
        ).encode()  # fmt: skip

    def unwrap(self, data: bytes) -> tuple[bytes, int]:
        """Data and status word. Raises CryptoError for a checksum that does not fit, MalformedError."""
        self._received += 1
        counter = (2 * self._received).to_bytes(16, "big")
        objects = parse(data[:-2])
        values = {one.tag: one.value for one in objects}
        protected = b"".join(bytes(one) for one in objects if one.tag != 0x8E)
        if 0x8E not in values or 0x99 not in values:
            raise MalformedError(what="answer", why="not protected")
        if not fits(self._checksums, padded(counter + protected), values[0x8E]) or values[0x99] != data[-2:]:
            raise CryptoError(what="answer", why="checksum")
        cryptogram = values.get(0x87, b"")[1:]
        start = self._start(2 * self._received)
        found = unpadded(decrypted(self._encryption, cryptogram, start)) if cryptogram else b""
        return found, int.from_bytes(values[0x99], "big")

    def _start(self, counter: int) -> bytes:
        return encrypted(self._encryption, counter.to_bytes(16, "big"))


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What PACE gives: the channel, the id of the card for this session, and the anchors that it knows."""

    channel: TerminalChannel
    chip_id: bytes
    anchors: tuple[str, ...]


class Terminal:
    """A terminal at a card: `transmit` gives the answer to a command. Whatever is not 9000 raises CardError."""

    def __init__(self, transmit: Transmit, randomness: Randomness = os.urandom) -> None:
        self._transmit = transmit
        self._randomness = randomness
        self.channel: TerminalChannel | None = None

    def send(self, command: Command) -> tuple[bytes, int]:
        """Data and status word, through the channel where there is one."""
        if self.channel is None:
            data = self._transmit(command.encode())
            return data[:-2], int.from_bytes(data[-2:], "big")
        answered = self._transmit(self.channel.wrap(command))
        if len(answered) == 2:
            return b"", int.from_bytes(answered, "big")
        return self.channel.unwrap(answered)

    def need(self, cla: int, ins: int, parameters: int, data: bytes = b"", expected: int | None = None) -> bytes:
        command = Command(cla=cla, ins=ins, p1=parameters >> 8, p2=parameters & 0xFF, data=data, expected=expected)
        found, status = self.send(command)
        if status != 0x9000:
            raise CardError(status=f"{status:04X}")
        return found

    def select_password(self, password: Secrets, chat: Chat | None = None) -> int:
        """The status word, which tells of the tries that are left."""
        data = tlv(0x80, PACE_PROTOCOL) + tlv(0x83, bytes([password])) + (chat.encode() if chat else b"")
        _, status = self.send(Command(cla=0, ins=0x22, p1=0xC1, p2=0xA4, data=data))
        return status

    def pace(self, password: Secrets, secret: str, chat: Chat | None = None) -> Opened:
        """Raises CardError with the status word of the step that failed."""
        status = self.select_password(password, chat)
        if status != 0x9000 and status >> 4 != 0x63C and status != 0x6283:
            raise CardError(status=f"{status:04X}")
        encoded = secret.encode()
        if password is Secrets.MRZ:
            encoded = hashlib.sha1(encoded, usedforsecurity=False).digest()
        nonce = decrypted(derived(encoded, PASSWORD), self._step(0x10, b"", 0x80))
        key = CURVE.scalar(self._randomness)
        mapped = self._step(0x10, tlv(0x81, CURVE.encode(CURVE.multiply(key))), 0x82)
        shared = CURVE.multiply(key, CURVE.decode(mapped))
        generator = CURVE.add(CURVE.multiply(int.from_bytes(nonce, "big")), shared)
        key = CURVE.scalar(self._randomness)
        own = CURVE.encode(CURVE.multiply(key, generator))
        theirs = self._step(0x10, tlv(0x83, own), 0x84)
        agreed = CURVE.multiply(key, CURVE.decode(theirs))[0].to_bytes(CURVE.size, "big")
        checksums = derived(agreed, CHECKSUM)
        last = only(self.need(0, 0x86, 0, tlv(0x7C, tlv(0x85, token(checksums, PACE_PROTOCOL, theirs))), 256), 0x7C)
        if need(last, 0x86) != token(checksums, PACE_PROTOCOL, own):
            raise CryptoError(what="token", why="the card does not know the password")
        self.channel = TerminalChannel(derived(agreed, ENCRYPTION), checksums)
        anchors = tuple(value.decode() for tag in (0x87, 0x88) if (value := find(last, tag)) is not None)
        return Opened(channel=self.channel, chip_id=theirs[1 : 1 + CURVE.size], anchors=anchors)

    def _step(self, cla: int, data: bytes, wanted: int) -> bytes:
        return need(self.need(cla, 0x86, 0, tlv(0x7C, data), 256), 0x7C, wanted)

    def authenticate(
        self, opened: Opened, holder: Holder, chain: Sequence[Certificate], auxiliary: bytes = b""
    ) -> EphemeralKey:
        """Terminal authentication, from an anchor of the card. Raises CardError."""
        for certificate in chain:
            self.need(0, 0x22, 0x81B6, tlv(0x83, certificate.authority.encode()))
            self.need(0, 0x2A, 0x00BE, certificate.inner)
        ephemeral = EphemeralKey(self._randomness)
        key = holder.certificate
        self.need(
            0, 0x22, 0x81A4,
            tlv(0x80, key.key.algorithm) + tlv(0x83, key.holder.encode()) + auxiliary + tlv(0x91, ephemeral.compressed),
        )  # fmt: skip
        challenge = self.need(0, 0x84, 0, expected=8)
        self.need(0, 0x82, 0, ephemeral.signature(holder, opened.chip_id, challenge, auxiliary))
        return ephemeral

    def enter(
        self, password: Secrets, secret: str, holder: Holder, chain: Sequence[Certificate], *,
        csca: x509.Certificate | None = None, chat: Chat | None = None, auxiliary: bytes = b"",
    ) -> None:  # fmt: skip
        """All the way in, with the application selected. `chat`: the rights that the user leaves, else all of them."""
        opened = self.pace(password, secret, chat or holder.certificate.chat)
        ordered = path([holder.certificate, *chain], start=opened.anchors[0])
        self.authenticate_chip(self.authenticate(opened, holder, ordered, auxiliary), csca)
        self.need(0, 0xA4, 0x040C, bytes.fromhex("E80704007F00070302"))

    def authenticate_chip(self, ephemeral: EphemeralKey, csca: x509.Certificate | None = None) -> None:
        """Passive and chip authentication: from here on the new channel is used. Raises CardError, CryptoError."""
        self.need(0, 0xA4, 0x000C, b"\x3f\x00")
        self.need(0, 0xA4, 0x020C, b"\x01\x1d")
        security = self.read_all()
        self.need(0, 0x22, 0x41A4, tlv(0x80, CHIP_PROTOCOL) + tlv(0x84, b"\x01"))
        answered = only(self.need(0, 0x86, 0, tlv(0x7C, tlv(0x80, ephemeral.public)), 256), 0x7C)
        self.channel = ephemeral.channel(chip_key(security, csca), need(answered, 0x81), need(answered, 0x82))

    def read_all(self, short: int | None = None) -> bytes:
        """A file, the selected one or a short one. Raises CardError."""
        found = b""
        while True:
            at = len(found) if found or short is None else 0x8000 | short << 8
            part, status = self.send(Command(cla=0, ins=0xB0, p1=at >> 8, p2=at & 0xFF, expected=256))
            if status not in (0x9000, 0x6282, 0x6B00):
                raise CardError(status=f"{status:04X}")
            found += part
            if status != 0x9000:
                return found


class EphemeralKey:
    """The key of a terminal for one session: signed in terminal authentication, used in chip authentication."""

    def __init__(self, randomness: Randomness = os.urandom) -> None:
        self._key = CURVE.scalar(randomness)
        self.public = CURVE.encode(CURVE.multiply(self._key))

    @property
    def compressed(self) -> bytes:
        return self.public[1 : 1 + CURVE.size]

    def signature(self, holder: Holder, chip_id: bytes, challenge: bytes, auxiliary: bytes) -> bytes:
        return sign(holder.key, chip_id + challenge + self.compressed + auxiliary, holder.certificate.key.algorithm)

    def channel(self, chip_key: bytes, nonce: bytes, claimed: bytes) -> TerminalChannel:
        """Raises CryptoError where the token shows that it was not this chip's key."""
        agreed = CURVE.multiply(self._key, CURVE.decode(chip_key))[0].to_bytes(CURVE.size, "big")
        checksums = derived(agreed, CHECKSUM, nonce)
        if token(checksums, CHIP_PROTOCOL, self.public) != claimed:
            raise CryptoError(what="token", why="not the key of the chip")
        return TerminalChannel(derived(agreed, ENCRYPTION, nonce), checksums)


def chip_key(security: bytes, csca: x509.Certificate | None = None) -> bytes:
    """The chip's public key in EF.CardSecurity; with `csca`, only if it was signed below that authority.

    Raises MalformedError, CryptoError.
    """
    if need(security, 0x30, 0x06) != SIGNED_DATA:
        raise MalformedError(what="EF.CardSecurity", why="not SignedData")
    content = need(security, 0x30, 0xA0, 0x30)
    infos = need(content, 0x30, 0xA0, 0x04)
    if csca is not None:
        _check_signature(content, infos, csca)
    for info in parse(only(infos, 0x31)):
        parts = parse(info.value)
        if parts and bytes(parts[0]) == tlv(0x06, CHIP_PUBLIC_KEY):
            return need(parts[1].value, 0x03)[1:]
    raise MalformedError(what="EF.CardSecurity", why="no key of the chip")


def _check_signature(content: bytes, infos: bytes, csca: x509.Certificate) -> None:
    """Raises CryptoError. Only what this module's own cards have: ECDSA with SHA-256, one signer."""
    fields = parse(content)
    signer = need(fields[-1].value, 0x30) if fields else b""
    attributes, signature = need(signer, 0xA0), need(signer, 0x04)
    try:
        certificate = x509.load_der_x509_certificate(next((one.value for one in fields if one.tag == 0xA0), b""))
        public = certificate.public_key()
        certificate.verify_directly_issued_by(csca)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise CryptoError(what="EF.CardSecurity", why="algorithm")
        public.verify(signature, tlv(0x31, attributes), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion, ValueError, TypeError) as error:
        raise CryptoError(what="EF.CardSecurity", why="signature") from error
    digest = tlv(0x31, tlv(0x04, hashlib.sha256(infos).digest()))
    kind = tlv(0x31, tlv(0x06, SECURITY_OBJECT))
    if not attributes.endswith(digest) or kind not in attributes:
        raise CryptoError(what="EF.CardSecurity", why="digest")


def auxiliary_data(questions: Mapping[int, bytes]) -> bytes:
    """The object 67: question, one of AGE, EXPIRY and COMMUNITY → the value that the card compares with."""
    return tlv(
        0x67,
        *(tlv(0x73, tlv(0x06, AUXILIARY + bytes([at])), tlv(0x53, value)) for at, value in sorted(questions.items())),
    )


def question(at: int) -> Command:
    """'Verify' of one of the questions."""
    return Command(cla=0x80, ins=0x20, p1=0x80, p2=0x00, data=tlv(0x06, AUXILIARY + bytes([at])))
