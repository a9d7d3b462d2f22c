"""Cards of the test person: Erika Mustermann, whom the Federal Printing Office shows on its specimens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import date

from servicepunkt.eid.cvc import Trusted
from servicepunkt.eid.groups import groups_of
from servicepunkt.eid.model import Attributes, PartialDate, Place
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.chip.files import APPLICATION
from servicepunkt.eid.testing.chip.internal import CHIP_AUTHENTICATION, CHIP_KEY, RESTRICTED_IDENTIFICATION
from servicepunkt.eid.testing.chip.pace import PROTOCOL as PACE
from servicepunkt.eid.testing.chip.session import CURVE, Memory
from servicepunkt.eid.testing.pki import Holder, Signer, signed_security
from servicepunkt.eid.tlv import tlv

DOCUMENT_NUMBER = "T22000129"
PIN, CAN, PUK, TRANSPORT_PIN = "123456", "500540", "9876543210", "12345"
ERIKA = Attributes(
    given_names="ERIKA",
    family_names="MUSTERMANN",
    birth_name="GABLER",
    date_of_birth=PartialDate(year=1964, month=8, day=12),
    place_of_birth=Place(free="BERLIN"),
    nationality="D",
    sex="F",
    address=Place(street="HEIDESTRAẞE 17", city="KÖLN", country="D", zip_code="51147"),
    community_id="02760503150000",
    document_type="ID",
    issuing_country="D",
    valid_until=date(2029, 10, 31),
)
#: Object identifiers of security infos (TR-03110-3 §A.1.1).
_TERMINAL_AUTHENTICATION = bytes.fromhex("04007F0007020202")
_CHIP_AUTHENTICATION_DOMAIN = bytes.fromhex("04007F000702020302")
_CHIP_PUBLIC_KEY = bytes.fromhex("04007F000702020102")
_IDENTIFICATION_DOMAIN = bytes.fromhex("04007F000702020502")
_STANDARDIZED_DOMAIN = bytes.fromhex("04007F00070102")


def check_digit(text: str) -> str:
    """Of the machine-readable zone: weights 7, 3, 1 (ICAO Doc 9303-3 §4.9)."""
    values = (int(letter, 36) if letter != "<" else 0 for letter in text)
    return str(sum(value * (7, 3, 1)[at % 3] for at, value in enumerate(values)) % 10)


def mrz_secret(number: str, born: date, expires: date) -> str:
    """What PACE takes of the machine-readable zone: three fields, each with its check digit."""
    return "".join(field + check_digit(field) for field in (number, f"{born:%y%m%d}", f"{expires:%y%m%d}"))


def new_card(
    signer: Signer,
    *anchors: Holder,
    today: date,
    person: Attributes = ERIKA,
    more_groups: dict[int, bytes] | None = None,
    pin: str = PIN,
    can: str = CAN,
    puk: str = PUK,
    pin_active: bool = True,
    randomness: Callable[[int], bytes] = os.urandom,
) -> Memory:
    """A card as the printing office would deliver it, that trusts these anchors, the newest first.

    `today` is the day on which the card believes to be. A PIN of five digits is the one of the letter.
    """
    chip_key = CURVE.scalar(randomness)
    born = person.date_of_birth.day_known if person.date_of_birth else None
    access = _infos(_access())
    return Memory(
        pin=Secret(pin),
        can=Secret(can),
        puk=Secret(puk),
        mrz=Secret(mrz_secret(DOCUMENT_NUMBER, born or today, person.valid_until or today)),
        pin_active=pin_active,
        groups=groups_of(person) | (more_groups or {}),
        card_access=access,
        card_security=signed_security(_infos([*_access(), *_security(chip_key)]), signer),
        directory=tlv(0x61, tlv(0x4F, APPLICATION)),
        chip_key=chip_key,
        identification_keys={1: CURVE.scalar(randomness), 2: CURVE.scalar(randomness)},
        anchors=tuple(Trusted.of(anchor.certificate) for anchor in anchors),
        today=today,
    )


def _infos(infos: Iterable[bytes]) -> bytes:
    """SET OF SecurityInfo, which DER orders."""
    return tlv(0x31, *sorted(infos))


def _info(protocol: bytes, *parts: bytes) -> bytes:
    return tlv(0x30, tlv(0x06, protocol), *parts)


def _number(value: int) -> bytes:
    return tlv(0x02, bytes([value]))


def _domain() -> bytes:
    return tlv(0x30, tlv(0x06, _STANDARDIZED_DOMAIN), _number(CURVE.parameter_id))


def _access() -> list[bytes]:
    """What anybody may read: which protocols the card speaks."""
    return [
        _info(_TERMINAL_AUTHENTICATION, _number(2)),
        _info(CHIP_AUTHENTICATION, _number(2), _number(CHIP_KEY)),
        _info(_CHIP_AUTHENTICATION_DOMAIN, _domain(), _number(CHIP_KEY)),
        _info(PACE, _number(2), _number(CURVE.parameter_id)),
    ]


def _security(chip_key: int) -> list[bytes]:
    """What is signed besides: the public key of the chip, and which keys make pseudonyms."""
    public = CURVE.encode(CURVE.multiply(chip_key))
    return [
        _info(_CHIP_PUBLIC_KEY, tlv(0x30, _domain(), tlv(0x03, b"\x00" + public)), _number(CHIP_KEY)),
        _info(_IDENTIFICATION_DOMAIN, _domain()),
        *(
            _info(RESTRICTED_IDENTIFICATION, tlv(0x30, _number(1), _number(number), tlv(0x01, only)))
            for number, only in ((1, b"\x00"), (2, b"\xff"))
        ),
    ]
