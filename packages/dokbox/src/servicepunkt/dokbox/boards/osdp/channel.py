"""The secure channel of OSDP 2.2: mutual proof of a key, then a MAC over every packet, and its data in secret.

Source: reference "Lock boards: byte-exact", section "OSDP v2.2", and the vectors of SIA's Annex E. AES-128:

    S-ENC, S-MAC1, S-MAC2    E(key, 01 82 | 01 01 | 01 02, first six bytes of the panel's nonce, zeros)
    client's cryptogram      E(S-ENC, panel's nonce, device's nonce)
    server's cryptogram      E(S-ENC, device's nonce, panel's nonce)
    first MAC                E(S-MAC2, E(S-MAC1, server's cryptogram))
    MAC                      CBC under S-MAC1, the last block under S-MAC2, padded with 80 00 ...;
                             it starts with the other side's last MAC, and four bytes of it travel
    data                     CBC under S-ENC, padded likewise; it starts with the inverse of that MAC
"""

import secrets
from collections.abc import Callable
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
NONCE_LENGTH = 8
KEY_LENGTH = 16
#: The key of the standard that everybody knows; a device that still has it is refused.
DEFAULT_KEY = bytes(range(0x30, 0x40))


class BadProofError(Exception):
    """The device does not know the key, or a packet is not from it; the text says which."""


def derive_key(master_key: bytes, client_id: bytes) -> bytes:
    """The key of a device from the key of a site. `client_id`: eight bytes, as the device tells them."""
    return _encrypt(master_key, client_id + bytes(byte ^ 0xFF for byte in client_id))


class Channel:
    """One session with one device, from the challenge to the first packet that cannot be believed."""

    def __init__(self, *, nonce: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self.panel_nonce = nonce(NONCE_LENGTH)
        self.server_cryptogram = b""
        self._secret = self._mac = self._last_mac = b""
        self._ours = b""  # the last MAC of the panel, whole
        self._theirs = b""  # the last MAC of the device, whole

    def believe(self, key: bytes, device_nonce: bytes, client_cryptogram: bytes) -> None:
        """Check that the device knows the key. Raises `BadProofError`."""
        self._secret, self._mac, self._last_mac = (
            _encrypt(key, label + self.panel_nonce[:6] + bytes(8)) for label in (b"\x01\x82", b"\x01\x01", b"\x01\x02")
        )
        expected = _encrypt(self._secret, self.panel_nonce + device_nonce)
        if not compare_digest(expected, client_cryptogram):
            raise BadProofError("it does not know the key")
        self.server_cryptogram = _encrypt(self._secret, device_nonce + self.panel_nonce)

    def begin(self, first_mac: bytes) -> None:
        """Check the device's first MAC. Raises `BadProofError`."""
        expected = _encrypt(self._last_mac, _encrypt(self._mac, self.server_cryptogram))
        if not compare_digest(expected, first_mac):
            raise BadProofError("its first MAC is wrong")
        self._theirs = first_mac

    def hide(self, data: bytes) -> bytes:
        """The data of a command in secret."""
        encryptor = Cipher(algorithms.AES(self._secret), modes.CBC(_inverse(self._theirs))).encryptor()
        return encryptor.update(_padded(data)) + encryptor.finalize()

    def sign(self, packet: bytes) -> bytes:
        """The MAC of a command, four bytes."""
        self._ours = self._cbc_mac(packet, self._theirs)
        return self._ours[:4]

    def check(self, packet: bytes, mac: bytes) -> None:
        """Check the MAC of a reply to the last command. Raises `BadProofError`."""
        expected = self._cbc_mac(packet, self._ours)
        if not compare_digest(expected[:4], mac):
            raise BadProofError("its MAC is wrong")
        self._theirs = expected

    def show(self, data: bytes) -> bytes:
        """The data of a reply; in the session of the command that it answers. Raises `BadProofError`."""
        if not data or len(data) % BLOCK:
            raise BadProofError("its secret is not whole")
        decryptor = Cipher(algorithms.AES(self._secret), modes.CBC(_inverse(self._ours))).decryptor()
        plain = (decryptor.update(data) + decryptor.finalize()).rstrip(b"\x00")
        if not plain.endswith(b"\x80"):
            raise BadProofError("its secret cannot be read")
        return plain[:-1]

    def _cbc_mac(self, packet: bytes, start: bytes) -> bytes:
        padded = packet if len(packet) % BLOCK == 0 else _padded(packet)
        rest = start
        for at in range(0, len(padded), BLOCK):
            last = at + BLOCK == len(padded)
            mixed = bytes(a ^ b for a, b in zip(padded[at : at + BLOCK], rest, strict=True))
            rest = _encrypt(self._last_mac if last else self._mac, mixed)
        return rest


def _encrypt(key: bytes, data: bytes) -> bytes:
    # Whole blocks without chaining, as the standard has it: every input here is used once.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(data) + encryptor.finalize()


def _padded(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)


def _inverse(block: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in block)
