"""The secure channel of OSDP as the device has it: AES-128, session keys, MACs, data.

Source: the project's protocol reference, section 2.4, and the vectors of SIA OSDP, Annex E, given there. The rolling
MAC chains commands and replies: each MAC starts from the whole last one of the other direction, and four bytes of it
are sent. Data starts from the inverse of the same value.
"""

from typing import ClassVar

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from servicepunkt.dokbox.simulator.osdp.frames import MAC_LENGTH

BLOCK = 16
KEY_LENGTH = 16
NONCE_LENGTH = 8
DEFAULT_KEY = bytes(range(0x30, 0x40))
"""SCBK-D, the key that everybody knows; for installation only."""


class SecureSession:
    """Session keys of a base key and two nonces, and the state of both MACs.

    ``panel_nonce`` is RND.A, ``device_nonce`` RND.B, eight bytes each. It may serve a session once the panel's
    cryptogram has been found equal to ``panel_cryptogram``.
    """

    _ENC: ClassVar = b"\x01\x82"
    _MAC_1: ClassVar = b"\x01\x01"
    _MAC_2: ClassVar = b"\x01\x02"

    def __init__(self, key: bytes, panel_nonce: bytes, device_nonce: bytes) -> None:
        def derived(label: bytes) -> bytes:
            return _encrypt_block(key, label + panel_nonce[:6] + bytes(8))

        self._encryption_key = derived(self._ENC)
        self._mac_key_1 = derived(self._MAC_1)
        self._mac_key_2 = derived(self._MAC_2)
        self.device_cryptogram = _encrypt_block(self._encryption_key, panel_nonce + device_nonce)
        self.panel_cryptogram = _encrypt_block(self._encryption_key, device_nonce + panel_nonce)
        self.first_mac = _encrypt_block(self._mac_key_2, _encrypt_block(self._mac_key_1, self.panel_cryptogram))
        self._command_mac = bytes(BLOCK)
        self._reply_mac = self.first_mac

    def accept_command(self, authenticated: bytes, mac: bytes) -> bool:
        """Whether the four bytes of MAC are right; the chain goes on only if they are."""
        expected = self._mac(authenticated, self._reply_mac)
        if expected[:MAC_LENGTH] != mac:
            return False
        self._command_mac = expected
        return True

    def decrypt_command(self, data: bytes) -> bytes | None:
        """The data of the command just accepted; None if it is not whole blocks or not padded."""
        if not data or len(data) % BLOCK:
            return None
        decryptor = Cipher(algorithms.AES(self._encryption_key), modes.CBC(_inverse(self._reply_mac))).decryptor()
        padded = decryptor.update(data) + decryptor.finalize()
        stripped = padded.rstrip(b"\0")
        return stripped[:-1] if stripped.endswith(b"\x80") else None

    def encrypt_reply(self, data: bytes) -> bytes:
        """Data for the answer to the command just accepted; always padded, also where it fills its blocks."""
        padded = data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)
        encryptor = Cipher(algorithms.AES(self._encryption_key), modes.CBC(_inverse(self._command_mac))).encryptor()
        return encryptor.update(padded) + encryptor.finalize()

    def mac_of_reply(self, authenticated: bytes) -> bytes:
        """The four bytes for the answer to the command just accepted; the chain goes on."""
        self._reply_mac = self._mac(authenticated, self._command_mac)
        return self._reply_mac[:MAC_LENGTH]

    def _mac(self, authenticated: bytes, start: bytes) -> bytes:
        """CBC whose last block has a key of its own; padded only where a block is not full."""
        if len(authenticated) % BLOCK:
            authenticated += b"\x80" + bytes(-(len(authenticated) + 1) % BLOCK)
        last = len(authenticated) - BLOCK
        chained = start
        for at in range(0, len(authenticated), BLOCK):
            mixed = bytes(a ^ b for a, b in zip(authenticated[at : at + BLOCK], chained, strict=True))
            chained = _encrypt_block(self._mac_key_2 if at == last else self._mac_key_1, mixed)
        return chained


def _encrypt_block(key: bytes, block: bytes) -> bytes:
    # One block a time with a key of its own: the standard builds its own chains from single blocks.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - what the standard says
    return encryptor.update(block) + encryptor.finalize()


def _inverse(value: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in value)
