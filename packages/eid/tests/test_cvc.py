"""Card-verifiable certificates: those of others are read and verified, and a changed one never is."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid import cvc
from servicepunkt.eid.curve import BY_NAME
from servicepunkt.eid.cvc import Certificate, CertificateDescription, Extension, PublicKey, Trusted, check, path
from servicepunkt.eid.errors import CertificateError, CryptoError, EidError, MalformedError
from servicepunkt.eid.rights import Chat, Right, Role, reading
from servicepunkt.eid.tlv import need, parse, tlv

DATA = Path(__file__).parent / "data"
EXAMPLE = {
    name: bytes.fromhex(value)
    for name, value in json.loads((DATA / "bsi_worked_example/ecdh.json").read_text()).items()
}
EAC1 = (DATA / "ausweisapp/DIDAuthenticateEAC1.xml").read_text()
GOVERNIKUS = [Certificate.parse(bytes.fromhex(found)) for found in re.findall("<Certificate>(.*?)</", EAC1)]
[DESCRIPTION] = [bytes.fromhex(found) for found in re.findall("<CertificateDescription>(.*?)</", EAC1)]
TODAY, YESTERDAY = date(2026, 11, 22), date(2026, 11, 21)
ANCHOR_KEY, DV_KEY, TERMINAL_KEY = (ec.derive_private_key(number, ec.BrainpoolP256R1()) for number in (11, 22, 33))
EVERYTHING = frozenset(Right)


def made(
    signer: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey, authority: str, holder: str, role: Role,
    rights: frozenset[Right] = EVERYTHING, *, first: date = date(2026, 11, 1), last: date = date(2026, 12, 31),
    extensions: tuple[Extension, ...] = (),
) -> Certificate:  # fmt: skip
    public = PublicKey.of(key.public_key())
    return Certificate.issue(
        signer=signer, authority=authority, holder=holder, chat=Chat(rights, role), effective=first, expiration=last,
        key=public if role is Role.CVCA else msgspec.structs.replace(public, curve=None), extensions=extensions,
    )  # fmt: skip


ANCHOR = made(ANCHOR_KEY, ANCHOR_KEY, "DETESTeID00001", "DETESTeID00001", Role.CVCA)
DV = made(ANCHOR_KEY, DV_KEY, "DETESTeID00001", "DEDVTEST00001", Role.DV_OTHER, reading(4, 5, 8))
TERMINAL = made(DV_KEY, TERMINAL_KEY, "DEDVTEST00001", "DETERMINAL00001", Role.TERMINAL, reading(4, 5, 17))


def follow(*chain: Certificate, anchor: Certificate = ANCHOR, today: date = TODAY) -> Trusted:
    trusted = Trusted.of(anchor)
    for certificate in chain:
        trusted = check(certificate, trusted, today=today)
    return trusted


def test_the_worked_example_of_the_bsi() -> None:
    with pytest.raises(MalformedError, match="not of an authentication terminal"):
        Certificate.parse(EXAMPLE["cvca_cert"])  # the example's CA is one of inspection systems
    key = PublicKey.parse(need(EXAMPLE["cvca_cert"], 0x7F21, 0x7F4E, 0x7F49))
    assert key.curve is BY_NAME["brainpoolP512r1"]
    dv, terminal = (Certificate.parse(EXAMPLE[name]) for name in ("dv_cert", "ta_cert"))
    assert (dv.holder, terminal.holder) == ("DETESTDVDE019", "DETESTATDE019")
    anchor = Trusted(holder="DECVCAAT00001", key=key, chat=Chat(EVERYTHING, Role.CVCA), effective=dv.effective,
                     expiration=dv.expiration)  # fmt: skip
    trusted = check(terminal, check(dv, anchor, today=date(2010, 9, 30)), today=date(2010, 9, 30))
    assert trusted.chat == Chat.of({Right.CAN_ALLOWED, Right.READ_1})
    signed = EXAMPLE["picc_pub_key"][1:33] + EXAMPLE["ta_nonce"] + EXAMPLE["ca_pcd_pub_key"][1:33]
    trusted.key.verify(EXAMPLE["ta_pcd_signature"], signed)
    with pytest.raises(CryptoError):
        trusted.key.verify(EXAMPLE["ta_pcd_signature"], signed[:-1])


def test_a_chain_that_the_ausweisapp_brings_along() -> None:
    [terminal] = [one for one in GOVERNIKUS if one.chat.role is Role.TERMINAL]
    assert cvc.describes(DESCRIPTION, terminal)
    assert not cvc.describes(DESCRIPTION[:-1] + b"\x00", terminal)
    first = GOVERNIKUS[1]
    chain = path(GOVERNIKUS, start=first.authority)
    assert chain[0] == first
    assert chain[-1] == terminal
    trusted = follow(*chain[1:], anchor=first, today=terminal.expiration)
    assert trusted.holder == terminal.holder
    with pytest.raises(CertificateError, match="why expired"):
        follow(*chain[1:], anchor=first)


def test_a_description_is_read_as_it_was_written() -> None:
    found = CertificateDescription.parse(DESCRIPTION)
    assert (found.issuer_name, found.subject_url) == ("Governikus Test DVCA", "https://test.governikus-eid.de")
    assert isinstance(found.terms, str)
    assert found.terms.startswith("Name, Anschrift")
    assert len(found.communication_certificates) == 1
    assert found.encode() == DESCRIPTION


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        tlv(0x30),
        DESCRIPTION + b"\x00",
        DESCRIPTION.replace(b"\xa1\x16\x0c\x14", b"\x81\x16\x0c\x14"),  # IMPLICIT
        tlv(0x30, *(bytes(one) for one in reversed(parse(parse(DESCRIPTION)[0].value)))),
        tlv(0x30, tlv(0x06, b"\x01"), *(bytes(one) for one in parse(parse(DESCRIPTION)[0].value)[1:])),
        DESCRIPTION.replace(b"\x0c\x14G", b"\x0c\x14\xff"),
    ],
)
def test_a_description_of_another_form_is_refused(broken: bytes) -> None:
    with pytest.raises(MalformedError):
        CertificateDescription.parse(broken)


def test_what_a_chain_allows_is_what_all_of_it_allow() -> None:
    assert follow(DV, TERMINAL).chat == Chat(reading(4, 5))
    assert Certificate.parse(TERMINAL.encode()) == TERMINAL


@pytest.mark.parametrize(
    ("why", "chain"),
    [
        ("authority", (TERMINAL,)),
        ("authority", (DV, made(DV_KEY, TERMINAL_KEY, "DEDVTEST00002", "DETERMINAL00001", Role.TERMINAL))),
        ("role", (made(ANCHOR_KEY, TERMINAL_KEY, "DETESTeID00001", "DETERMINAL00001", Role.TERMINAL),)),
        ("role", (DV, made(DV_KEY, TERMINAL_KEY, "DEDVTEST00001", "DEDVTEST00002", Role.DV_OTHER))),
        ("role", (DV, made(DV_KEY, TERMINAL_KEY, "DEDVTEST00001", "DETESTeID00002", Role.CVCA))),
        ("role", (DV, TERMINAL, made(TERMINAL_KEY, DV_KEY, "DETERMINAL00001", "DEMORE00001", Role.TERMINAL))),
        ("signature", (made(TERMINAL_KEY, DV_KEY, "DETESTeID00001", "DEDVTEST00001", Role.DV_OTHER),)),
        ("signature", (msgspec.structs.replace(DV, signature=bytes(64)),)),
        ("signature", (msgspec.structs.replace(DV, signature=DV.signature + b"\x00"),)),
        ("signature", (msgspec.structs.replace(DV, body=DV.body[:-1] + b"\x09"),)),
        ("expired", (made(ANCHOR_KEY, DV_KEY, ANCHOR.holder, "DEDVTEST00001", Role.DV_OTHER, last=YESTERDAY),)),
    ],
)  # fmt: skip
def test_a_wrong_chain_is_refused(why: str, chain: tuple[Certificate, ...]) -> None:
    with pytest.raises(CertificateError, match=f"why {why}"):
        follow(*chain)


def test_dates_include_their_last_day_and_links_outlive_it() -> None:
    assert follow(DV, TERMINAL, today=date(2026, 12, 31)).holder == TERMINAL.holder
    with pytest.raises(CertificateError, match="expired"):
        follow(DV, today=date(2027, 1, 1))
    link = made(ANCHOR_KEY, TERMINAL_KEY, "DETESTeID00001", "DETESTeID00002", Role.CVCA, reading(4))
    assert follow(link, today=date(2036, 1, 1)).chat == Chat(reading(4), Role.CVCA)


def test_a_key_of_another_curve_is_refused() -> None:
    other = msgspec.structs.replace(
        PublicKey.of(ec.derive_private_key(5, ec.BrainpoolP384R1()).public_key()), curve=None
    )
    wrong = Certificate.issue(
        signer=ANCHOR_KEY, authority="DETESTeID00001", holder="DEDVTEST00001", key=other,
        chat=Chat(EVERYTHING, Role.DV_OTHER), effective=date(2026, 11, 1), expiration=date(2026, 12, 31),
    )  # fmt: skip
    with pytest.raises(CertificateError, match="signature"):
        follow(wrong)


def test_only_a_country_is_trusted_without_a_check() -> None:
    for certificate in (DV, TERMINAL):
        with pytest.raises(CertificateError, match="anchor"):
            Trusted.of(certificate)


def test_a_path_needs_every_certificate() -> None:
    assert path([TERMINAL, ANCHOR, DV], start="DETESTeID00001") == (DV, TERMINAL)
    for given_, start in (([TERMINAL], "DETESTeID00001"), ([DV], "DETESTeID00001"), ([DV, TERMINAL], "DENOBODY00001")):
        with pytest.raises(CertificateError):
            path(given_, start=start)
    circle = [
        made(DV_KEY, DV_KEY, "DEDVTEST00002", "DEDVTEST00001", Role.DV_OTHER),
        made(DV_KEY, DV_KEY, "DEDVTEST00001", "DEDVTEST00002", Role.DV_OTHER),
    ]
    with pytest.raises(CertificateError, match="no path"):
        path([*circle, TERMINAL], start="DETESTeID00001")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x5f\x29\x01\x00", b"\x5f\x29\x01\x01"),
        (b"DETERMINAL00001", b"D\x01TERMINAL00001"),
        (bytes([2, 6, 1, 1, 0, 1]), bytes([2, 6, 1, 3, 0, 1])),
        (bytes([2, 6, 1, 1, 0, 1]), bytes([2, 6, 1, 1, 0, 10])),
        (bytes([2, 6, 1, 1, 0, 1]), bytes([2, 7, 1, 1, 0, 1])),
        (bytes.fromhex("04007f000703010202"), bytes.fromhex("04007f000703010201")),
    ],
)
def test_a_body_of_another_form_is_refused(old: bytes, new: bytes) -> None:
    data = TERMINAL.encode()
    assert old in data
    with pytest.raises(MalformedError):
        Certificate.parse(data.replace(old, new))


def test_longer_lengths_than_needed_are_refused() -> None:
    inner = TERMINAL.inner
    assert Certificate.parse(tlv(0x7F21, inner)) == TERMINAL
    with pytest.raises(MalformedError, match="one way"):
        Certificate.parse(b"\x7f\x21\x83" + len(inner).to_bytes(3, "big") + inner)
    signature = b"\x5f\x37\x82" + len(TERMINAL.signature).to_bytes(2, "big") + TERMINAL.signature
    with pytest.raises(MalformedError, match="one way"):
        Certificate.parse(tlv(0x7F21, TERMINAL.body, signature))


@given(at=st.integers(0, len(TERMINAL.encode()) - 1), bit=st.integers(0, 7))
def test_no_changed_bit_passes(at: int, bit: int) -> None:
    data = bytearray(TERMINAL.encode())
    data[at] ^= 1 << bit
    with pytest.raises(EidError):
        follow(DV, Certificate.parse(bytes(data)))


@given(st.binary(max_size=300) | st.builds(lambda inner: tlv(0x7F21, tlv(0x7F4E, inner)), st.binary(max_size=200)))
def test_any_bytes_are_refused(data: bytes) -> None:
    for read in (Certificate.parse, CertificateDescription.parse, PublicKey.parse, Extension.parse):
        with pytest.raises(EidError):
            read(data)


def test_what_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(MalformedError, match="too long"):
        Certificate.parse(bytes(cvc.MOST_BYTES + 1))
    with pytest.raises(MalformedError, match="too long"):
        CertificateDescription.parse(bytes(cvc.MOST_DESCRIPTION_BYTES + 1))
