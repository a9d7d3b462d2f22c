"""The device's end of the secure channel: keys, handshake, and what may be said in which security.

The rules and their sources stand in ``device``.
"""

from random import Random

from servicepunkt.dokbox.simulator.osdp.channel import BLOCK, DEFAULT_KEY, KEY_LENGTH, NONCE_LENGTH, SecureSession
from servicepunkt.dokbox.simulator.osdp.faults import BadMac, ClearReply, DefaultKeyOnly, UseFault, WrongCryptogram
from servicepunkt.dokbox.simulator.osdp.frames import (
    MAC_LENGTH,
    REPLY_BIT,
    Command,
    Draft,
    Frame,
    NakReason,
    Security,
)

KEYSET_SCBK = bytes([1, KEY_LENGTH])
"""What stands before the key in KEYSET: the kind of key and its length."""
ALLOWED_IN_CLEAR = {Command.ID, Command.CAP}
"""What a device that requires a secure channel tells without one."""
HANDSHAKE: dict[int, int] = {Security.CHALLENGE: Command.CHLNG, Security.CRYPTOGRAM: Command.SCRYPT}
SECURED = {Security.COMMAND_MAC, Security.COMMAND_ENCRYPTED}


class RefusedError(Exception):
    """A command that is not carried out."""

    def __init__(self, reason: NakReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Guard:
    """``key`` is the device's own, ``install_mode`` whether it accepts the default key, ``session`` the live one."""

    def __init__(self, key: bytes | None, *, install_mode: bool, required: bool, supported: bool) -> None:
        if key is not None and len(key) != KEY_LENGTH:
            raise ValueError(f"a key has {KEY_LENGTH} bytes")
        if required and not supported:
            raise ValueError("a device cannot require what it does not support")
        self.key = key
        self.install_mode = install_mode
        self.required = required
        self.supported = supported
        self.session: SecureSession | None = None
        self._handshake: SecureSession | None = None

    def end(self) -> None:
        """Forget the session, and a handshake that is half done."""
        self.session = self._handshake = None

    def unwrap(self, frame: Frame) -> bytes:
        """Code and data of a frame whose security is in order; empty if its data cannot be decrypted.

        RefusedError 05: the device knows no secure channel, or no such block. 06: in clear what must not be, secured
        without a session, wrong MAC. 03: a command of the secure channel, in clear, to a device that knows none.
        """
        kind, payload = frame.security_type, frame.payload
        if not self.supported:
            return self._without_channel(kind, payload)
        if kind in SECURED:
            payload = self._authenticated(frame)
        elif kind is not None and payload[:1] != bytes([HANDSHAKE[kind]] if kind in HANDSHAKE else []):
            raise RefusedError(NakReason.SECURITY_UNSUPPORTED)
        if payload and not self._may_come(payload[0], kind):
            raise RefusedError(NakReason.SECURITY_REQUIRED)
        return payload

    def challenge(self, frame: Frame, panel_nonce: bytes, random: Random, use_fault: UseFault) -> tuple[bytes, bytes]:
        """Answer CHLNG: the security block, then the device's nonce and cryptogram."""
        self.end()
        wants_default = frame.security[1:2] == b"\0"
        key = self.key
        if use_fault(DefaultKeyOnly) or (self.install_mode and (wants_default or key is None)):
            key = DEFAULT_KEY
        if key is None:
            raise RefusedError(NakReason.SECURITY_REQUIRED)
        nonce = random.randbytes(NONCE_LENGTH)
        self._handshake = SecureSession(key, panel_nonce, nonce)
        cryptogram = random.randbytes(BLOCK) if use_fault(WrongCryptogram) else self._handshake.device_cryptogram
        return bytes([Security.CHALLENGE_REPLY, key is not DEFAULT_KEY]), nonce + cryptogram

    def prove(self, panel_cryptogram: bytes) -> tuple[bytes, bytes]:
        """Answer SCRYPT: the security block and the first MAC; the session lives from now on."""
        handshake, self._handshake = self._handshake, None
        if handshake is None or handshake.panel_cryptogram != panel_cryptogram:
            raise RefusedError(NakReason.SECURITY_REQUIRED)
        self.session = handshake
        return bytes([Security.CRYPTOGRAM_REPLY, 1]), handshake.first_mac

    def set_key(self, data: bytes) -> None:
        """Take the data of KEYSET. RefusedError 09 for a kind of key that there is not."""
        if not data.startswith(KEYSET_SCBK):
            raise RefusedError(NakReason.IMPOSSIBLE)
        self.key = data[len(KEYSET_SCBK) :]
        self.install_mode = False
        self.end()

    def _without_channel(self, kind: int | None, payload: bytes) -> bytes:
        if kind is not None:
            raise RefusedError(NakReason.SECURITY_UNSUPPORTED)
        if payload and payload[0] in (Command.KEYSET, *HANDSHAKE.values()):
            raise RefusedError(NakReason.UNKNOWN_COMMAND)
        return payload

    def _authenticated(self, frame: Frame) -> bytes:
        """Code and data of a frame whose MAC is right, in clear."""
        payload, mac = frame.payload[:-MAC_LENGTH], frame.payload[-MAC_LENGTH:]
        if self.session is None or not self.session.accept_command(frame.authenticated, mac):
            raise RefusedError(NakReason.SECURITY_REQUIRED)
        if frame.security_type == Security.COMMAND_MAC:
            return payload
        data = self.session.decrypt_command(payload[1:])
        return payload[:1] + data if data else b""

    def _may_come(self, code: int, kind: int | None) -> bool:
        """Whether a command may come with this type of security block, or with none."""
        if code == Command.KEYSET:
            return kind == Security.COMMAND_ENCRYPTED
        if code in HANDSHAKE.values():
            return kind in HANDSHAKE
        if kind is None:
            return self.session is None and (code in ALLOWED_IN_CLEAR or not self.required)
        return True


def in_clear(frame: Frame, payload: bytes, *, security: bytes = b"") -> bytes:
    """The reply to a frame without MAC; ``security`` is the block of a handshake."""
    return Draft.of(frame.address | REPLY_BIT, frame.control, security=security, payload=payload).finish()


def seal(frame: Frame, payload: bytes, session: SecureSession, use_fault: UseFault) -> tuple[bytes, bytes]:
    """The reply to a frame within a session: as the device means it, and as an attack leaves it."""
    code, data = payload[:1], payload[1:]
    security = bytes([Security.REPLY_ENCRYPTED if data else Security.REPLY_MAC])
    sealed = code + session.encrypt_reply(data) if data else code
    address = frame.address | REPLY_BIT
    draft = Draft.of(address, frame.control, security=security, payload=sealed, mac_length=MAC_LENGTH)
    mac = session.mac_of_reply(draft.raw)
    genuine = draft.finish(mac)
    if use_fault(ClearReply):
        return genuine, in_clear(frame, payload)
    if use_fault(BadMac):
        return genuine, draft.finish(bytes(byte ^ 0xFF for byte in mac))
    return genuine, genuine
