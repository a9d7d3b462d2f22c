"""The card as a whole: stages, rights of every group, and what it says to who may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import pytest

from servicepunkt.eid.cvc import Certificate, Trusted, path
from servicepunkt.eid.errors import CardError, CryptoError
from servicepunkt.eid.groups import attributes_of
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat, Right, Role, reading
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip
from servicepunkt.eid.testing.chip.session import STAGES, Event, Stage
from servicepunkt.eid.testing.person import CAN, ERIKA, PIN, PUK
from servicepunkt.eid.testing.pki import EVERYTHING, Holder, issue, new_country, new_csca, sector
from servicepunkt.eid.testing.terminal import (
    AGE,
    COMMUNITY,
    EXPIRY,
    EphemeralKey,
    Opened,
    Terminal,
    auxiliary_data,
    chip_key,
    question,
)  # fmt: skip
from servicepunkt.eid.tlv import need, tlv

NewChip = Callable[..., Chip]
TODAY = date(2026, 11, 22)
APPLICATION = bytes.fromhex("E80704007F00070302")
AUXILIARY = auxiliary_data({AGE: b"20081122", EXPIRY: b"20261122", COMMUNITY: bytes.fromhex("027605")})


def status_of(error: pytest.ExceptionInfo[CardError]) -> str:
    return str(error.value.details["status"])


def opened(
    chip: Chip, chat: Chat | None, password: Secrets = Secrets.PIN, secret: str = PIN
) -> tuple[Terminal, Opened]:
    terminal = Terminal(chip.answer)
    return terminal, terminal.pace(password, secret, chat)


def entered(
    chip: Chip, authorities: Authorities, holder: Holder, *, chat: Chat | None = None, auxiliary: bytes = b"",
    password: Secrets = Secrets.PIN, secret: str = PIN,
) -> Terminal:  # fmt: skip
    terminal = Terminal(chip.answer)
    terminal.enter(
        password, secret, holder, authorities.chain, csca=authorities.csca.certificate, chat=chat, auxiliary=auxiliary
    )
    return terminal


def chain_of(terminal: Holder, *above: Holder, start: str) -> tuple[Certificate, ...]:
    return path([terminal.certificate, *(one.certificate for one in above)], start=start)


def test_all_that_a_terminal_may_read(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    terminal = entered(chip, authorities, authorities.terminal())
    groups = {number: terminal.read_all(number) for number in chip.memory.groups}
    assert attributes_of(groups) == ERIKA


@pytest.mark.parametrize("number", range(1, 23))
def test_a_group_is_read_by_its_own_right_alone(number: int, new_chip: NewChip, authorities: Authorities) -> None:
    groups = {at: tlv(0x60 + at, tlv(0x0C, b"x")) for at in range(1, 23)}
    may, may_not = reading(number), EVERYTHING - reading(number)
    holder = authorities.terminal()
    chip = new_chip()
    chip.memory.groups = groups
    terminal = entered(chip, authorities, holder, chat=Chat(may))
    assert terminal.read_all(number) == groups[number]
    for other in range(1, 23):
        if other != number:
            with pytest.raises(CardError, match="6982"):
                terminal.read_all(other)
    terminal = entered(chip, authorities, holder, chat=Chat(may_not))
    with pytest.raises(CardError, match="6982"):
        terminal.read_all(number)
    terminal.need(0, 0xA4, 0x020C, bytes([1, number]))
    with pytest.raises(CardError, match="6982"):
        terminal.read_all()


def test_rights_are_those_of_user_terminal_and_verifier(new_chip: NewChip, authorities: Authorities) -> None:
    verifier = issue(authorities.country, "DEVERIFIER00001", Role.DV_OTHER, today=TODAY, rights=reading(4, 5))
    holder = authorities.terminal(reading(4, 8), issuer=verifier)
    chip = new_chip()
    terminal, found = opened(chip, Chat(reading(4, 5, 8)))
    chain = chain_of(holder, verifier, start=found.anchors[0])
    terminal.authenticate_chip(terminal.authenticate(found, holder, chain))
    assert chip.session.rights == reading(4)


def test_writing_needs_its_right(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    before = dict(chip.memory.groups)
    terminal = entered(chip, authorities, authorities.terminal(), chat=Chat(EVERYTHING - {Right.WRITE_17}))
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0xD6, 0x9100, b"x")
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0xD6, 0x8400, b"x")  # nobody may write a name
    assert chip.memory.groups == before
    terminal = entered(chip, authorities, authorities.terminal())
    terminal.need(0, 0xD6, 0x9100, tlv(0x71, b"new"))
    assert chip.memory.groups[17][:5] == tlv(0x71, b"new")
    with pytest.raises(CardError, match="6B00"):
        terminal.need(0, 0xD6, 0x917F, b"x")


def test_files_that_anybody_reads(new_chip: NewChip) -> None:
    chip = new_chip()
    terminal = Terminal(chip.answer)
    assert terminal.read_all(0x1C) == chip.memory.card_access
    assert need(terminal.read_all(0x1E), 0x61, 0x4F) == APPLICATION
    with pytest.raises(CardError, match="6982"):
        terminal.read_all(0x1D)
    terminal.need(0, 0xA4, 0x040C, APPLICATION)
    with pytest.raises(CardError, match="6982"):
        terminal.read_all(4)
    with pytest.raises(CardError, match="6A82"):
        terminal.need(0, 0xA4, 0x020C, b"\x01\x0e")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("00b0000010", "6986"),
        ("00b0810010", "6a82"),
        ("00b0e10010", "6a86"),
        ("00a4040c05a000000001", "6a82"),
        ("00a4010c023f00", "6a86"),
        ("00a4000c0101", "6a80"),
        ("00a400ff023f00", "6a86"),
        ("ff9a010100", "6e00"),
        ("0184000008", "6881"),
        ("04a4000c023f00", "6e00"),
        ("80a4000c023f00", "6e00"),
        ("00ff0000", "6d00"),
        ("0022ffff", "6a86"),
        ("0022c1a4", "6a80"),
        ("0022c1a40f800a04007f00070202040202830105", "6a88"),
        ("0022c1a40f800a04007f00070202040201830103", "6a80"),
        ("0022c1a412800a04007f0007020204020283010384010c", "6a88"),
        ("0086000002 7c00 00", "6982"),
        ("0084000008", "6982"),
        ("00820000017f", "6982"),
        ("0022810000", "6a86"),
        ("0022 81b6 03 830141", "6982"),
        ("002a00be03 5f3700", "6982"),
        ("0022 41a4 0c 800a04007f00070202030202", "6982"),
        ("002c0203 06 313233343536", "6982"),
        ("002c0303", "6982"),
        ("00441003", "6982"),
        ("00041003", "6982"),
        ("80208000 02 0600", "6982"),
        ("00330000 02 0600", "6982"),
        ("00d6840001ff", "6a82"),
        ("10a4000c023f00", "6884"),
        ("0cb0840000", "6988"),
        ("00", "6700"),
    ],
)
def test_what_a_stranger_is_told(command: str, status: str, new_chip: NewChip) -> None:
    chip = new_chip()
    assert chip.answer(bytes.fromhex(command)).hex() == status
    assert chip.session.stage is Stage.OPEN


@pytest.mark.parametrize(("password", "secret"), [(Secrets.CAN, CAN), (Secrets.PUK, PUK), (Secrets.PIN, PIN)])
def test_every_password_opens_and_a_wrong_one_does_not(password: Secrets, secret: str, new_chip: NewChip) -> None:
    chip = new_chip()
    opened(chip, None, password, secret)
    assert chip.session.stage is Stage.CHANNEL
    chip = new_chip()
    with pytest.raises(CardError) as refused:
        opened(chip, None, password, secret[::-1])
    assert status_of(refused) == ("63C2" if password is Secrets.PIN else "6300")
    assert chip.session.stage is Stage.OPEN


def test_the_mrz_opens_and_lets_no_terminal_in(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    with pytest.raises(CardError) as refused:
        entered(
            chip, authorities, authorities.terminal(), password=Secrets.MRZ, secret=chip.memory.mrz.reveal().decode()
        )
    assert status_of(refused) == "6982"
    assert chip.session.stage is Stage.CHANNEL


def test_the_can_lets_a_terminal_in_that_may(new_chip: NewChip, authorities: Authorities) -> None:
    chip, holder = new_chip(), authorities.terminal()
    assert entered(chip, authorities, holder, password=Secrets.CAN, secret=CAN).read_all(4) == chip.memory.groups[4]
    without = Chat(EVERYTHING - {Right.CAN_ALLOWED})
    with pytest.raises(CardError, match="6982"):
        entered(chip, authorities, holder, chat=without, password=Secrets.CAN, secret=CAN)
    with pytest.raises(CardError, match="6982"):
        entered(chip, authorities, holder, password=Secrets.PUK, secret=PUK)


def test_without_rights_at_the_start_there_is_no_terminal(new_chip: NewChip, authorities: Authorities) -> None:
    terminal, found = opened(new_chip(), None)
    assert found.anchors == ()
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0x22, 0x81B6, tlv(0x83, authorities.country.name.encode()))


# --- Chains


@pytest.mark.parametrize("wrong", ["role", "country", "expired", "verifier expired", "signature", "unknown"])
def test_a_wrong_chain_is_refused(wrong: str, new_chip: NewChip, authorities: Authorities) -> None:
    country, verifier = authorities.country, authorities.verifier
    past = TODAY - timedelta(days=40)
    match wrong:
        case "role":
            holder, chain, status = issue(country, "DETERMINAL00001", Role.TERMINAL, today=TODAY), [], "6A80"
        case "country":
            country = new_country(today=TODAY)
            verifier = issue(country, "DEVERIFIER00001", Role.DV_OTHER, today=TODAY)
            holder, chain, status = authorities.terminal(issuer=verifier), [verifier], "6300"
        case "expired":
            holder, chain, status = authorities.terminal(today=past, days=39), [verifier], "6982"
        case "verifier expired":
            verifier = issue(country, "DEVERIFIER00001", Role.DV_OTHER, today=past, days=39)
            holder, chain, status = authorities.terminal(issuer=verifier), [verifier], "6982"
        case "signature":
            forged = msgspec.structs.replace(verifier, key=authorities.official.key)
            holder, chain, status = authorities.terminal(issuer=forged), [verifier], "6300"
        case _:
            holder, chain, status = authorities.terminal(), [], "6A88"
    chip = new_chip()
    terminal, found = opened(chip, holder.certificate.chat)
    with pytest.raises(CardError) as refused:
        terminal.authenticate(found, holder, [*(one.certificate for one in chain), holder.certificate])
    assert status_of(refused) == status
    assert chip.session.stage is Stage.CHANNEL
    assert chip.session.rights == frozenset()


def test_the_key_has_to_be_that_of_the_certificate(new_chip: NewChip, authorities: Authorities) -> None:
    holder, other = authorities.terminal(), authorities.terminal()
    stolen = msgspec.structs.replace(other, certificate=holder.certificate)
    terminal, found = opened(chip := new_chip(), holder.certificate.chat)
    with pytest.raises(CardError) as refused:
        terminal.authenticate(found, stolen, chain_of(stolen, authorities.verifier, start=found.anchors[0]))
    assert status_of(refused) == "6300"
    assert chip.session.stage is Stage.CHANNEL


def test_a_challenge_counts_once(new_chip: NewChip, authorities: Authorities) -> None:
    holder = authorities.terminal()
    terminal, found = opened(new_chip(), holder.certificate.chat)
    early = terminal.need(0, 0x84, 0, expected=8)
    for certificate in chain_of(holder, authorities.verifier, start=found.anchors[0]):
        terminal.need(0, 0x22, 0x81B6, tlv(0x83, certificate.authority.encode()))
        terminal.need(0, 0x2A, 0x00BE, certificate.inner)
    key = EphemeralKey()
    data = tlv(0x80, holder.certificate.key.algorithm) + tlv(0x83, holder.name.encode()) + tlv(0x91, key.compressed)
    terminal.need(0, 0x22, 0x81A4, data)
    with pytest.raises(CardError, match="6300"):
        terminal.need(0, 0x82, 0, bytes(64))
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0x82, 0, key.signature(holder, found.chip_id, early, b""))
    fresh = terminal.need(0, 0x84, 0, expected=8)
    terminal.need(0, 0x82, 0, key.signature(holder, found.chip_id, fresh, b""))
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0x84, 0, expected=8)


def test_the_card_learns_the_date_from_whom_it_may_believe(new_chip: NewChip, authorities: Authorities) -> None:
    later, latest = TODAY + timedelta(days=5), TODAY + timedelta(days=10)
    chip = new_chip()
    verifier = issue(authorities.country, "DEVERIFIER00001", Role.DV_OTHER, today=later)
    holder = authorities.terminal(issuer=verifier, today=latest)
    terminal, found = opened(chip, holder.certificate.chat)
    terminal.authenticate(found, holder, chain_of(holder, verifier, start=found.anchors[0]))
    assert chip.memory.today == later
    official = authorities.terminal(issuer=authorities.official, today=latest)
    terminal, found = opened(chip, official.certificate.chat)
    terminal.authenticate(found, official, chain_of(official, authorities.official, start=found.anchors[0]))
    assert chip.memory.today == latest
    old = authorities.terminal(days=7)
    terminal, found = opened(chip, old.certificate.chat)
    with pytest.raises(CardError, match="6982"):
        terminal.authenticate(found, old, chain_of(old, authorities.verifier, start=found.anchors[0]))
    assert chip.memory.today == latest


def test_a_link_brings_a_new_anchor_and_the_card_keeps_two(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    names = [authorities.country.name]
    country = authorities.country
    for at in (2, 3):
        link = issue(country, f"DETESTeID0000{at}", Role.CVCA, today=TODAY + timedelta(days=at))
        verifier = issue(link, "DEVERIFIER00001", Role.DV_OTHER, today=TODAY)
        holder = authorities.terminal(issuer=verifier)
        terminal, found = opened(chip, holder.certificate.chat)
        terminal.authenticate(found, holder, chain_of(holder, verifier, link, start=country.name))
        names.insert(0, link.name)
        assert [one.holder for one in chip.memory.anchors] == names[:2]
        country = link
    terminal, found = opened(chip, holder.certificate.chat)
    assert found.anchors == (names[0], names[1])
    with pytest.raises(CardError, match="6A88"):
        terminal.need(0, 0x22, 0x81B6, tlv(0x83, names[2].encode()))
    assert Trusted.of(country.certificate).holder == names[0]


# --- The chip's own keys


def test_the_chip_wants_the_key_that_was_signed(new_chip: NewChip, authorities: Authorities) -> None:
    holder = authorities.terminal()
    chip = new_chip()
    terminal, found = opened(chip, holder.certificate.chat)
    terminal.authenticate(found, holder, chain_of(holder, authorities.verifier, start=found.anchors[0]))
    with pytest.raises(CardError, match="6300"):
        terminal.authenticate_chip(EphemeralKey())
    assert chip.session.stage is Stage.TERMINAL


def test_a_card_of_another_country_is_known_by_its_signature(new_chip: NewChip, authorities: Authorities) -> None:
    security = new_chip().memory.card_security
    assert len(chip_key(security, authorities.csca.certificate)) == 65
    with pytest.raises(CryptoError):
        chip_key(security, new_csca(today=TODAY).certificate)
    at = security.index(chip_key(security)) + 40
    changed = security[:at] + bytes([security[at] ^ 1]) + security[at + 1 :]
    with pytest.raises(CryptoError, match="digest"):
        chip_key(changed, authorities.csca.certificate)


def test_pseudonyms_differ_by_sector_and_card(new_chip: NewChip, authorities: Authorities) -> None:
    key = authorities.sector_key
    holder = authorities.terminal(extensions=(sector(key),))

    def pseudonym(chip: Chip, number: int = 1, chosen: bytes = b"") -> bytes:
        terminal = entered(chip, authorities, holder)
        mechanism = tlv(0x80, bytes.fromhex("04007F00070202050203")) + tlv(0x84, bytes([number]))
        terminal.need(0, 0x22, 0x41A4, mechanism)
        sent = tlv(0x7C, b"\xa0" + (chosen or key.encode())[2:])
        return need(terminal.need(0, 0x86, 0, sent, 256), 0x7C, 0x81)

    chip = new_chip()
    assert pseudonym(chip) == pseudonym(chip)
    assert pseudonym(chip) != pseudonym(chip, 2)
    assert pseudonym(chip) != pseudonym(new_chip(identification_keys={1: 99}))
    other = msgspec.structs.replace(key, point=authorities.country.certificate.key.point)
    with pytest.raises(CardError, match="6982"):
        pseudonym(chip, chosen=other.encode())
    with pytest.raises(CardError, match="6A88"):
        pseudonym(chip, 9)


def test_no_pseudonym_without_the_right(new_chip: NewChip, authorities: Authorities) -> None:
    terminal = entered(
        new_chip(), authorities, authorities.terminal(), chat=Chat(EVERYTHING - {Right.RESTRICTED_IDENTIFICATION})
    )
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0x22, 0x41A4, tlv(0x80, bytes.fromhex("04007F00070202050203")))


# --- Questions


def answers(terminal: Terminal) -> list[int]:
    return [terminal.send(question(at))[1] for at in (AGE, EXPIRY, COMMUNITY)]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({AGE: b"19640812"}, 0x9000),
        ({AGE: b"19640811"}, 0x6300),
        ({EXPIRY: b"20291031"}, 0x9000),
        ({EXPIRY: b"20291101"}, 0x6300),
        ({COMMUNITY: bytes.fromhex("02760503150000")}, 0x9000),
        ({COMMUNITY: bytes.fromhex("0276")}, 0x9000),
        ({COMMUNITY: bytes.fromhex("02760503150001")}, 0x6300),
        ({COMMUNITY: bytes.fromhex("0040")}, 0x6300),
        ({COMMUNITY: b""}, 0x6300),
        ({AGE: b"2008112"}, 0x6A80),
    ],
)
def test_yes_and_no(asked: dict[int, bytes], status: int, new_chip: NewChip, authorities: Authorities) -> None:
    terminal = entered(new_chip(), authorities, authorities.terminal(), auxiliary=auxiliary_data(asked))
    assert [terminal.send(question(at))[1] for at in asked] == [status]
    assert {found for at, found in enumerate(answers(terminal), 1) if at not in asked} == {0x6A88}
    [at] = asked
    compared = question(at)
    found = terminal.send(msgspec.structs.replace(compared, cla=0, ins=0x33, p1=0))[1]
    assert found == (0x6340 if status == 0x6300 else status)


def test_of_an_unknown_birthday_the_last_day_counts(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    chip.memory.groups[8] = tlv(0x68, tlv(0x12, b"2008    "))
    for asked, status in ((b"20081230", 0x6300), (b"20081231", 0x9000)):
        terminal = entered(chip, authorities, authorities.terminal(), auxiliary=auxiliary_data({AGE: asked}))
        assert terminal.send(question(AGE))[1] == status


def test_questions_need_their_rights(new_chip: NewChip, authorities: Authorities) -> None:
    terminal = entered(new_chip(), authorities, authorities.terminal(), chat=Chat(reading(4)), auxiliary=AUXILIARY)
    assert answers(terminal) == [0x6982, 0x9000, 0x6982]
    both = Chat.of({Right.AGE_VERIFICATION, Right.COMMUNITY_VERIFICATION})
    terminal = entered(new_chip(), authorities, authorities.terminal(), chat=both, auxiliary=AUXILIARY)
    assert answers(terminal) == [0x9000, 0x9000, 0x9000]


def test_what_was_not_signed_is_not_compared(new_chip: NewChip, authorities: Authorities) -> None:
    holder = authorities.terminal()
    chip = new_chip()
    terminal, found = opened(chip, holder.certificate.chat)
    for certificate in chain_of(holder, authorities.verifier, start=found.anchors[0]):
        terminal.need(0, 0x22, 0x81B6, tlv(0x83, certificate.authority.encode()))
        terminal.need(0, 0x2A, 0x00BE, certificate.inner)
    key = EphemeralKey()
    data = tlv(0x80, holder.certificate.key.algorithm) + tlv(0x83, holder.name.encode())
    terminal.need(0, 0x22, 0x81A4, data + AUXILIARY + tlv(0x91, key.compressed))
    challenge = terminal.need(0, 0x84, 0, expected=8)
    with pytest.raises(CardError, match="6300"):
        terminal.need(0, 0x82, 0, key.signature(holder, found.chip_id, challenge, auxiliary_data({AGE: b"19000101"})))


# --- Channels


def test_a_command_outside_of_the_channel_ends_it(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    terminal = entered(chip, authorities, authorities.terminal())
    assert chip.answer(bytes.fromhex("00b0840000")).hex() == "6a82"
    assert chip.session.stage is Stage.OPEN
    assert chip.session.rights == frozenset()
    with pytest.raises(CardError, match="6988"):
        terminal.read_all(4)


def test_a_wrong_checksum_ends_the_channel(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    terminal = entered(chip, authorities, authorities.terminal())
    assert chip.answer(bytes.fromhex("0cb0840012970100 8e08 0000000000000000 0000")[:-1]).hex() in ("6988", "6700")
    channel = chip.session.channel
    assert channel is None or chip.answer(bytes.fromhex("0cb084000d9701008e08000000000000000000")).hex() == "6988"
    assert chip.session.stage is Stage.OPEN
    with pytest.raises(CardError, match="6988"):
        terminal.read_all(4)


def test_power_takes_everything_but_the_memory(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    entered(chip, authorities, authorities.terminal())
    chip.power_off()
    assert chip.session.stage is Stage.OPEN
    assert chip.answer(bytes.fromhex("00b0840000")).hex() == "6a82"


def test_a_second_password_forgets_the_terminal_before(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip()
    terminal = entered(chip, authorities, authorities.terminal())
    terminal.pace(Secrets.CAN, CAN)
    assert chip.session.stage is Stage.CHANNEL
    with pytest.raises(CardError, match="6982"):
        terminal.read_all(4)


def test_stages_go_one_way() -> None:
    assert {stage for (stage, event) in STAGES if event is Event.PACE_DONE} == set(Stage)
    assert STAGES[Stage.CHANNEL, Event.TERMINAL_AUTHENTICATED] is Stage.TERMINAL
    assert [stage for (stage, _), after in STAGES.items() if after is Stage.CHIP] == [Stage.TERMINAL]


@pytest.mark.parametrize("wrong", ["point", "infinity", "chain", "order", "own"])
def test_pace_ends_with_what_does_not_fit(wrong: str, new_chip: NewChip) -> None:
    chip = new_chip()
    terminal = Terminal(chip.answer)
    terminal.select_password(Secrets.PIN)
    nonce = "10860000027c0000"
    point = bytes.fromhex("04" + "11" * 64)
    match wrong:
        case "point":
            chip.answer(bytes.fromhex(nonce))
            found = chip.answer(b"\x10\x86\x00\x00\x45" + tlv(0x7C, tlv(0x81, point)) + b"\x00").hex()
        case "infinity":
            chip.answer(bytes.fromhex(nonce))
            found = chip.answer(b"\x10\x86\x00\x00\x05" + tlv(0x7C, tlv(0x81, b"\x00")) + b"\x00").hex()
        case "chain":
            found = chip.answer(bytes.fromhex("00860000027c0000")).hex()
        case "order":
            chip.answer(bytes.fromhex(nonce))
            found = chip.answer(bytes.fromhex(nonce)).hex()
        case _:
            chip.answer(bytes.fromhex("10860000047c0280 0000"))
            found = "6a80"
    assert found in ("6300", "6a80", "6700")
    assert chip.session.pace is None
    assert chip.memory.pin_state.name == "THREE_TRIES"
