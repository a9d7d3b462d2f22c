"""What must hold for whatever the online ID reads: it is understood, or refused by an error of `EidError`'s tree; never
anything else. Fed by the fuzzer, and by its kept corpus in CI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from servicepunkt.eid import cvc, groups, tlv
from servicepunkt.eid.card.access import security_infos
from servicepunkt.eid.card.apdu import Answer, Command
from servicepunkt.eid.card.messaging import SecureMessaging
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Attributes, PartialDate, Place
from servicepunkt.eid.rights import Chat
from servicepunkt.eid.sdk import messages
from servicepunkt.eid.testing.pki import new_country
from servicepunkt.eid.wallet import cbor, sdjwt

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATA = Path(__file__).resolve().parents[2] / "packages" / "eid" / "tests" / "data"
ENCRYPTION, AUTHENTICATION = bytes(range(16)), bytes(range(16, 32))


class Target(NamedTuple):
    """What reads, and inputs that are valid."""

    read: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]


def run(name: str) -> Callable[[bytes], None]:
    read = TARGETS[name].read

    def once(data: bytes) -> None:
        with suppress(EidError):
            read(data)

    return once


def _tlv(data: bytes) -> None:
    found = tlv.parse(data)
    tlv.check_depth(data)
    if tlv.parse(b"".join(bytes(one) for one in found)) != found:
        raise AssertionError("what was read cannot be written")
    for read in (Chat.decode, security_infos, lambda one: groups.attributes_of({one[0] % 23: one[1:]} if one else {})):
        with suppress(EidError):
            read(data)


def _cvc(data: bytes) -> None:
    with suppress(EidError):
        cvc.CertificateDescription.parse(data)
    if cvc.Certificate.parse(data).encode() != data:
        raise AssertionError("a certificate that is written in two ways")


def _messaging(data: bytes) -> None:
    channel = SecureMessaging(ENCRYPTION, AUTHENTICATION)
    channel.wrap(Command(0x00, 0xB0, 0x84, 0x00, b"", 256))
    channel.unwrap(Answer.decode(data))


def _genuine_answers() -> list[bytes]:
    """What a card says to the command above: its own key, so that mutants come near."""
    from servicepunkt.eid.testing.chip.apdu import Command as ChipCommand
    from servicepunkt.eid.testing.chip.messaging import Channel as ChipChannel

    made = []
    for reply in (b"", b"ERIKA", bytes(200)):
        driver, chip = SecureMessaging(ENCRYPTION, AUTHENTICATION), ChipChannel(ENCRYPTION, AUTHENTICATION)
        chip.unwrap(ChipCommand.parse(bytes(driver.wrap(Command(0x00, 0xB0, 0x84, 0x00, b"", 256)))))
        made.append(chip.wrap(reply, 0x9000))
    return made


def _tlv_seeds() -> Iterable[bytes]:
    person = Attributes(given_names="ERIKA", date_of_birth=PartialDate(1964), address=Place(city="KÖLN"))
    for number, group in groups.groups_of(person).items():
        yield group
        yield bytes([number]) + group
    vectors = json.loads((DATA / "bsi_worked_example" / "ecdh.json").read_text("utf-8"))
    yield from (bytes.fromhex(vectors[name]) for name in ("ef_cardaccess", "d1", "ad1", "cvca_cert"))


def _sd_jwt_seeds() -> Iterable[bytes]:
    yield "".join((DATA / "openid4vp" / "sd_jwt" / "sd_jwt_presentation.txt").read_text("utf-8").split()).encode()
    yield b"e30.e30.e30~"
    yield b"eyJhbGciOiJFUzI1NiJ9.eyJfc2QiOlsiYSJdLCJfc2RfYWxnIjoic2hhLTI1NiJ9.AA~WyJhIiwiYiIsImMiXQ~e30.e30.AA"


def _cbor_seeds() -> Iterable[bytes]:
    yield from (bytes.fromhex("a26161016162820203"), bytes.fromhex("d81841a0"))
    yield from (bytes.fromhex(path.read_text("utf-8")) for path in sorted((DATA / "mdoc").glob("*.hex")))


def _sdk_seeds() -> Iterable[bytes]:
    path = DATA / "ausweisapp" / "messages_1_26_2.jsonl"
    yield from path.read_bytes().splitlines()


TARGETS: Mapping[str, Target] = {
    "eid-tlv": Target(_tlv, _tlv_seeds),
    "eid-cvc": Target(_cvc, lambda: [new_country(today=date(2026, 11, 22)).certificate.encode()]),
    "eid-sm": Target(_messaging, _genuine_answers),
    "eid-cbor": Target(
        lambda data: cbor.loads(data, "fuzz"), lambda: [bytes.fromhex("a26161016162820203"), b"\xd8\x18\x41\xa0"]
    ),
    "eid-sd-jwt": Target(lambda data: sdjwt.parse(data.decode("latin-1")), _sd_jwt_seeds),
    "eid-sdk": Target(lambda data: messages.parse(data.decode("utf-8", "replace")), _sdk_seeds),
}
