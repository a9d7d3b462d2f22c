"""OpenPACE's libeac as the terminal at the virtual card: PACE with every password, secure messaging, terminal
authentication, passive and chip authentication, to the reading of a name.

libeac calculates; this test carries its bytes to the chip. Its channel is used at the level at which OpenSC uses it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import CDLL, c_char_p, c_int, c_long, c_ulong, c_void_p
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from servicepunkt.eid.model import Secrets
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip
from servicepunkt.eid.testing.chip.apdu import Command
from servicepunkt.eid.testing.chip.session import Stage
from servicepunkt.eid.testing.person import CAN, PIN, PUK
from servicepunkt.eid.testing.pki import Holder
from servicepunkt.eid.tlv import find, need, parse, tlv

PACE = bytes.fromhex("04007F00070202040202")
CHIP_AUTHENTICATION = bytes.fromhex("04007F00070202030202")
#: EAC_ID_PACE and EAC_ID_CA: whose keys are those of the channel.
ID_PACE, ID_CA = 0, 1


class Terminal:
    """PACE and secure messaging, calculated by libeac."""

    def __init__(self, chip: Chip, peer: ModuleType) -> None:
        self._chip = chip
        self._libeac = peer.Libeac(chip.memory.card_access)

    def pace(self, kind: Secrets, secret: str, chat: bytes = b"") -> str:
        """The status word; '9000' only where libeac believes the card's token, too."""
        libeac = self._libeac
        data = tlv(0x80, PACE) + tlv(0x83, bytes([kind])) + chat
        self._chip.answer(Command(cla=0, ins=0x22, p1=0xC1, p2=0xA4, data=data).encode())
        password = libeac.secret(secret, kind)
        assert libeac.number("PACE_STEP2_dec_nonce", password, self._step(0x10, b"", 0x80)) == 1
        mapping = libeac.bytes("PACE_STEP3A_generate_mapping_data")
        assert libeac.number("PACE_STEP3A_map_generator", self._step(0x10, tlv(0x81, mapping), 0x82)) == 1
        own = libeac.bytes("PACE_STEP3B_generate_ephemeral_key")
        theirs = self._step(0x10, tlv(0x83, own), 0x84)
        self._chip_id = theirs[1:33]
        assert libeac.number("PACE_STEP3B_compute_shared_secret", theirs) == 1
        assert libeac.number("PACE_STEP3C_derive_keys") == 1
        token = libeac.bytes("PACE_STEP3D_compute_authentication_token", theirs)
        data = tlv(0x7C, tlv(0x85, token))
        answered = self._chip.answer(Command(cla=0, ins=0x86, p1=0, p2=0, data=data, expected=256).encode())
        if answered[-2:] == b"\x90\x00":
            claimed = need(answered[:-2], 0x7C, 0x86)
            assert libeac.number("PACE_STEP3D_verify_authentication_token", claimed) == 1
            assert libeac.number("EAC_CTX_set_encryption_ctx", c_int(ID_PACE)) == 1
        return answered[-2:].hex()

    def _step(self, cla: int, data: bytes, wanted: int) -> bytes:
        command = Command(cla=cla, ins=0x86, p1=0, p2=0, data=tlv(0x7C, data), expected=256)
        answered = self._chip.answer(command.encode())
        return need(answered[:-2], 0x7C, wanted)

    def need(self, ins: int, parameters: int, data: bytes = b"", expected: int | None = None) -> bytes:
        command = Command(cla=0, ins=ins, p1=parameters >> 8, p2=parameters & 0xFF, data=data, expected=expected)
        found, status = self.send(command)
        assert status == "9000"
        return found

    def enter(self, holder: Holder, chain: Sequence[Holder], folder: Path) -> None:
        """Terminal authentication; libeac finds whoever signed in a folder."""
        libeac = self._libeac
        for one in chain:
            (folder / one.name).write_bytes(one.certificate.encode())
        libeac.call("EAC_set_cvc_default_dir", None, f"{folder}/".encode())
        for one in (*chain[1:], holder):
            self.need(0x22, 0x81B6, tlv(0x83, one.certificate.authority.encode()))
            self.need(0x2A, 0x00BE, one.certificate.inner)
        key = holder.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        certificate = holder.certificate.encode()
        context = c_void_p(libeac.context)
        assert libeac.call("EAC_CTX_init_ta", c_int, context, key, len(key), certificate, len(certificate)) == 1
        compressed = libeac.bytes("TA_STEP3_generate_ephemeral_key")
        chosen = tlv(0x80, holder.certificate.key.algorithm) + tlv(0x83, holder.name.encode()) + tlv(0x91, compressed)
        self.need(0x22, 0x81A4, chosen)
        assert libeac.number("TA_STEP4_set_nonce", self.need(0x84, 0, expected=8)) == 1
        self.need(0x82, 0, libeac.bytes("TA_STEP5_sign", compressed, self._chip_id, c_void_p(None)))

    def enter_chip(self) -> None:
        """Chip authentication."""
        libeac = self._libeac
        security = self.read_all(0x1D)
        key = libeac.bytes_of("CA_get_pubkey", security)
        own = libeac.bytes("CA_STEP2_get_eph_pubkey")
        self.need(0x22, 0x41A4, tlv(0x80, CHIP_AUTHENTICATION))
        answered = self.need(0x86, 0, tlv(0x7C, tlv(0x80, own)), 256)
        assert libeac.number("CA_STEP4_compute_shared_secret", key) == 1
        assert libeac.number("CA_STEP6_derive_keys", need(answered, 0x7C, 0x81), need(answered, 0x7C, 0x82)) == 1
        assert libeac.number("EAC_CTX_set_encryption_ctx", c_int(ID_CA)) == 1

    def read_all(self, short: int) -> bytes:
        found = b""
        while True:
            at = len(found) if found else 0x8000 | short << 8
            part, status = self.send(Command(cla=0, ins=0xB0, p1=at >> 8, p2=at & 0xFF, expected=200))
            assert status in ("9000", "6282")
            found += part
            if status == "6282":
                return found

    def send(self, command: Command) -> tuple[bytes, str]:
        """Data and status word, with the encryption and the checksums of libeac."""
        libeac = self._libeac
        libeac.number("EAC_increment_ssc")
        header = bytes([command.cla | 0x0C, command.ins, command.p1, command.p2])
        objects = b""
        if command.data:
            objects += tlv(0x87, b"\x01" + libeac.bytes("EAC_encrypt", pad(command.data)))
        if command.expected is not None:
            objects += tlv(0x97, bytes([command.expected % 256]))
        protected = pad(header) + (pad(objects) if objects else b"")
        objects += tlv(0x8E, libeac.bytes("EAC_authenticate", protected))
        answered = self._chip.answer(
            Command(cla=header[0], ins=command.ins, p1=command.p1, p2=command.p2, data=objects, expected=256).encode()
        )
        libeac.number("EAC_increment_ssc")
        found, status = answered[:-2], answered[-2:].hex()
        covered = b"".join(bytes(one) for one in parse(found) if one.tag != 0x8E)
        assert libeac.number("EAC_verify_authentication", pad(covered), need(found, 0x8E)) == 1
        cryptogram = find(found, 0x87)
        data = libeac.bytes("EAC_decrypt", cryptogram[1:]).rstrip(b"\x00")[:-1] if cryptogram else b""
        return data, status


def pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % 16)


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities.new(today=date(2026, 11, 22))


@pytest.fixture
def chip(authorities: Authorities) -> Chip:
    return Chip(authorities.card())


def name_hash(certificate: x509.Certificate) -> str:
    """The name of the file in which OpenSSL looks for an authority."""
    crypto = CDLL("libcrypto.so.3")
    crypto.d2i_X509.restype = c_void_p
    crypto.X509_subject_name_hash.restype = c_ulong
    der = certificate.public_bytes(Encoding.DER)
    place = c_char_p(der)
    read = crypto.d2i_X509(None, ctypes.byref(place), c_long(len(der)))
    return f"{crypto.X509_subject_name_hash(c_void_p(read)):08x}.0"


def zone(chip: Chip) -> str:
    """The whole machine-readable zone of a card: libeac takes the three fields out of it by itself."""
    found = chip.memory.mrz.reveal().decode()
    number, born, expires = found[:10], found[10:17], found[17:]
    return "".join(line.ljust(30, "<") for line in (f"IDD<<{number}", f"{born}F{expires}D", "MUSTERMANN<<ERIKA"))


@pytest.mark.parametrize("kind", list(Secrets))
def test_pace_with_every_password(kind: Secrets, chip: Chip, peer: ModuleType) -> None:
    secret = {Secrets.CAN: CAN, Secrets.PIN: PIN, Secrets.PUK: PUK}.get(kind, zone(chip))
    assert Terminal(chip, peer).pace(kind, secret) == "9000"
    assert chip.session.stage is Stage.CHANNEL


def test_a_wrong_pin(chip: Chip, peer: ModuleType) -> None:
    assert [Terminal(chip, peer).pace(Secrets.PIN, "000000") for _ in range(2)] == ["63c2", "63c1"]
    assert Terminal(chip, peer).pace(Secrets.CAN, CAN) == "9000"
    assert Terminal(chip, peer).pace(Secrets.PIN, PIN) == "9000"


def test_messaging_in_every_form(chip: Chip, peer: ModuleType) -> None:
    terminal = Terminal(chip, peer)
    terminal.pace(Secrets.PIN, PIN)
    read = Command(cla=0, ins=0xB0, p1=0x9C, p2=0, expected=256)
    assert terminal.send(read) == (chip.memory.card_access, "6282")
    select = Command(cla=0, ins=0xA4, p1=0x04, p2=0x0C, data=bytes.fromhex("E80704007F00070302"))
    assert terminal.send(select) == (b"", "9000")
    assert terminal.send(Command(cla=0, ins=0x2C, p1=0x02, p2=0x03, data=b"654321")) == (b"", "9000")
    assert chip.memory.pin.reveal() == b"654321"
    assert terminal.send(Command(cla=0, ins=0xB0, p1=0x84, p2=0, expected=256)) == (b"", "6982")


def test_a_command_of_nothing(chip: Chip, peer: ModuleType) -> None:
    """Unblocking: neither data nor Le, the header padded once."""
    terminal = Terminal(chip, peer)
    terminal.pace(Secrets.PUK, PUK)
    assert terminal.send(Command(cla=0, ins=0x2C, p1=0x03, p2=0x03)) == (b"", "9000")
    assert chip.memory.puk_uses == 9


def test_all_the_way_in(chip: Chip, peer: ModuleType, authorities: Authorities, tmp_path: Path) -> None:
    holder = authorities.terminal()
    terminal = Terminal(chip, peer)
    assert terminal.pace(Secrets.PIN, PIN, holder.certificate.chat.encode()) == "9000"
    terminal.enter(holder, [authorities.country, authorities.verifier], tmp_path)
    assert chip.session.stage is Stage.TERMINAL
    terminal.enter_chip()
    assert chip.session.stage is Stage.CHIP
    terminal.need(0xA4, 0x040C, bytes.fromhex("E80704007F00070302"))
    assert terminal.read_all(4) == chip.memory.groups[4]


def test_the_security_object_is_signed_for_openssl_too(
    chip: Chip, peer: ModuleType, authorities: Authorities, tmp_path: Path
) -> None:
    """A foreign authority has the same name and another key. libeac keeps those that it found once."""
    (tmp_path / name_hash(authorities.csca.certificate)).write_bytes(authorities.csca.pem)
    other = Authorities.new(today=date(2026, 11, 22)).card()
    for memory, wanted in ((chip.memory, 1), (other, 0)):
        libeac = peer.Libeac(memory.card_access)
        libeac.call("EAC_set_x509_default_dir", None, f"{tmp_path}/".encode())
        security, context = memory.card_security, c_void_p(libeac.context)
        assert libeac.call("EAC_CTX_init_ef_cardsecurity", c_int, security, len(security), context) == wanted
