"""The driver against the virtual card: every state of the PIN, reading, and a card that lies."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime

import pytest

from servicepunkt.eid import cvc
from servicepunkt.eid.card.card import Card
from servicepunkt.eid.card.files import EID
from servicepunkt.eid.card.terminal import AUXILIARY, BIRTH, COMMUNITY, EXPIRY, Terminal, auxiliary
from servicepunkt.eid.errors import (
    BlockedError,
    CardError,
    CardRemovedError,
    CertificateError,
    DeactivatedError,
    EidError,
    SuspendedError,
    WrongSecretError,
)
from servicepunkt.eid.groups import attributes_of
from servicepunkt.eid.model import RetryState, Secrets
from servicepunkt.eid.rights import Chat, Right, reading
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip, Fault, FaultyChip
from servicepunkt.eid.testing.person import CAN, ERIKA, PIN, PUK
from servicepunkt.eid.testing.pki import Holder

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GROUPS = (4, 5, 8, 9, 17, 18)
RIGHTS = reading(*GROUPS) | {Right.AGE_VERIFICATION, Right.COMMUNITY_VERIFICATION, Right.RESTRICTED_IDENTIFICATION}


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities.new(today=TODAY)


class Line:
    """A chip in process as a transport."""

    def __init__(self, chip: Chip | FaultyChip) -> None:
        self.chip, self.said = chip, list[bytes]()

    def transmit(self, command: bytes) -> bytes:
        self.said.append(command)
        return self.chip.answer(command)

    def close(self) -> None:
        self.chip.power_off()


def laid_on(chip: Chip | FaultyChip) -> Card:
    return Card(Line(chip))


def terminal(authorities: Authorities, holder: Holder | None = None) -> Terminal:
    own = holder or authorities.terminal(RIGHTS)
    chain = cvc.path([*authorities.chain, own.certificate], start=authorities.country.certificate.holder)
    return Terminal(chain=chain, sign=lambda data: cvc.sign(own.key, data))


def entered(card: Card, authorities: Authorities, *, rights: Iterable[Right] = RIGHTS, community: str = "0276") -> None:
    card.open(Secrets.PIN, Secret(PIN), chat=Chat.of(rights))
    compared = auxiliary(born_before=date(2008, 11, 22), valid_on=TODAY, community=community)
    card.authenticate(terminal(authorities), compared=compared, trusted=[authorities.csca.certificate], at=NOW)


# --- secrets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "secret"), [(Secrets.PIN, PIN), (Secrets.CAN, CAN), (Secrets.PUK, PUK)])
def test_each_secret_opens_a_channel(authorities: Authorities, kind: Secrets, secret: str) -> None:
    with laid_on(Chip(authorities.card())) as card:
        given = Secret(secret)
        card.open(kind, given)
        with pytest.raises(ValueError, match="wiped"):
            given.reveal()


def test_a_wrong_pin_once_twice_and_three_times(authorities: Authorities) -> None:
    memory = authorities.card()
    with laid_on(Chip(memory)) as card:
        assert card.status() == RetryState(tries=3)
        for left in (2, 1):
            with pytest.raises(WrongSecretError) as wrong:
                card.open(Secrets.PIN, Secret("000000"))
            assert wrong.value.details["tries"] == left
        assert card.status().is_suspended
        with pytest.raises((SuspendedError, WrongSecretError)):
            card.open(Secrets.PIN, Secret(PIN))
    with laid_on(Chip(memory)) as card, pytest.raises(WrongSecretError):
        card.resume(Secret("000000"), Secret(PIN))
    with laid_on(Chip(memory)) as card:
        card.resume(Secret(CAN), Secret(PIN))
    with laid_on(Chip(memory)) as card:
        assert card.status() == RetryState(tries=3), "the right one gives all tries back"


def test_the_third_wrong_pin_blocks_and_the_puk_helps(authorities: Authorities) -> None:
    memory = authorities.card()
    with laid_on(Chip(memory)) as card:
        for _ in range(2):
            with pytest.raises(WrongSecretError):
                card.open(Secrets.PIN, Secret("000000"))
        with pytest.raises(WrongSecretError) as last:
            card.resume(Secret(CAN), Secret("000000"))
        assert last.value.details["tries"] == 0
    with laid_on(Chip(memory)) as card:
        assert card.status().is_blocked
        with pytest.raises(BlockedError):
            card.open(Secrets.PIN, Secret(PIN))
        with pytest.raises(WrongSecretError):
            card.unblock(Secret("0000000000"))
        card.unblock(Secret(PUK))
    with laid_on(Chip(memory)) as card:
        assert card.status() == RetryState(tries=3)
        card.open(Secrets.PIN, Secret(PIN))


def test_suspended_again_when_the_card_is_taken_away(authorities: Authorities) -> None:
    memory = authorities.card()
    with laid_on(Chip(memory)) as card:
        for _ in range(2):
            with pytest.raises(WrongSecretError):
                card.open(Secrets.PIN, Secret("000000"))
        card.open(Secrets.CAN, Secret(CAN))
    with laid_on(Chip(memory)) as card:
        assert card.status().is_suspended


def test_the_pin_of_the_letter_becomes_an_own_one(authorities: Authorities) -> None:
    memory = authorities.card(pin="12345")
    with laid_on(Chip(memory)) as card:
        card.change_pin(Secret("12345"), Secret("654321"))
    with laid_on(Chip(memory)) as card:
        card.open(Secrets.PIN, Secret("654321"))


@pytest.mark.parametrize("new", ["12345", "1234567", "12a456"])
def test_a_new_pin_that_is_none_never_reaches_the_card(authorities: Authorities, new: str) -> None:
    line = Line(Chip(authorities.card()))
    with Card(line) as card, pytest.raises(ValueError, match="six digits"):
        card.change_pin(Secret(PIN), Secret(new))
    assert line.said == []


def test_a_card_whose_online_function_is_off(authorities: Authorities) -> None:
    with laid_on(Chip(authorities.card(pin_active=False))) as card:
        assert not card.status().active
        with pytest.raises(DeactivatedError):
            card.open(Secrets.PIN, Secret(PIN))


# --- reading ------------------------------------------------------------------------------------------------------


def test_an_office_switches_the_online_function_off_and_on(authorities: Authorities) -> None:
    memory, rights = authorities.card(), {Right.PIN_MANAGEMENT, Right.CAN_ALLOWED}
    for on in (False, True):
        with laid_on(Chip(memory)) as card, pytest.raises(CardError):
            card.switch_pin(on=on)
        with laid_on(Chip(memory)) as card:
            card.open(Secrets.CAN, Secret(CAN), chat=Chat.of(rights))
            office = terminal(authorities, authorities.terminal(rights))
            card.authenticate(office, compared={}, trusted=[authorities.csca.certificate], at=NOW)
            card.switch_pin(on=on)
        with laid_on(Chip(memory)) as card:
            assert card.status().active is on


def test_a_person_is_read(authorities: Authorities) -> None:
    with laid_on(Chip(authorities.card())) as card:
        entered(card, authorities)
        found = attributes_of(card.read(GROUPS))
        assert (found.given_names, found.family_names) == (ERIKA.given_names, ERIKA.family_names)
        assert (found.date_of_birth, found.address, found.community_id) == (
            ERIKA.date_of_birth, ERIKA.address, ERIKA.community_id,
        )  # fmt: skip
        assert card.verify([BIRTH, EXPIRY, COMMUNITY]) == {BIRTH: True, EXPIRY: True, COMMUNITY: True}


def test_questions_that_are_answered_with_no(authorities: Authorities) -> None:
    with laid_on(Chip(authorities.card())) as card:
        entered(card, authorities, community="02760999")
        assert card.verify([COMMUNITY]) == {COMMUNITY: False}


def test_what_was_deselected_cannot_be_read(authorities: Authorities) -> None:
    with laid_on(Chip(authorities.card())) as card:
        entered(card, authorities, rights=reading(4, 5))
        assert sorted(card.read([4, 5])) == [4, 5]
        with pytest.raises(CardError):
            card.read([8])
        with pytest.raises(CardError):
            card.verify([BIRTH])


def test_without_certificates_nothing_is_read(authorities: Authorities) -> None:
    with laid_on(Chip(authorities.card())) as card:
        card.open(Secrets.PIN, Secret(PIN), chat=Chat.of(RIGHTS))
        with pytest.raises(CardError):
            card.read([4])


def test_a_terminal_of_another_country_is_refused_by_the_card(authorities: Authorities) -> None:
    stranger = Authorities.new(today=TODAY)
    with laid_on(Chip(authorities.card())) as card:
        card.open(Secrets.PIN, Secret(PIN), chat=Chat.of(RIGHTS))
        with pytest.raises(CardError):
            card.authenticate(terminal(stranger), compared={}, trusted=[authorities.csca.certificate], at=NOW)


def test_a_card_of_another_maker_is_refused_by_us(authorities: Authorities) -> None:
    stranger = Authorities.new(today=TODAY)
    with laid_on(Chip(authorities.card())) as card:
        card.open(Secrets.PIN, Secret(PIN), chat=Chat.of(RIGHTS))
        with pytest.raises(CertificateError):
            card.authenticate(terminal(authorities), compared={}, trusted=[stranger.csca.certificate], at=NOW)


def test_a_chip_without_the_key_that_was_signed_is_refused(authorities: Authorities) -> None:
    """A copy has the files of a genuine card, and not its key."""
    memory = authorities.card()
    memory.chip_key += 1
    with laid_on(Chip(memory)) as card, pytest.raises(EidError):
        entered(card, authorities)


# --- a card that lies ---------------------------------------------------------------------------------------------


def steps(authorities: Authorities) -> int:
    chip = FaultyChip(Chip(authorities.card()))
    with laid_on(chip) as card:
        whole(card, authorities)
        return chip.asked


def whole(card: Card, authorities: Authorities) -> None:
    entered(card, authorities)
    card.read(GROUPS)
    card.verify([BIRTH])


@pytest.mark.parametrize("kind", ["removed", "removed_after"])
def test_a_card_that_is_pulled_at_each_step(authorities: Authorities, kind: str) -> None:
    for at in range(1, steps(authorities) + 1):
        memory = authorities.card()
        with laid_on(FaultyChip(Chip(memory), [Fault(at=at, kind=kind)])) as card:  # type: ignore[arg-type]
            with pytest.raises(CardRemovedError):
                whole(card, authorities)
            assert card._messaging is None, "no key is kept"
        with laid_on(Chip(memory)) as card:
            assert card.status().tries == 3, "no try was lost"


LIES: dict[str, Callable[[int], Fault]] = {
    "nothing": lambda at: Fault(at=at, kind="replaced", data=b""),
    "one byte": lambda at: Fault(at=at, kind="truncated", length=1),
    "cut": lambda at: Fault(at=at, kind="truncated", length=9),
    "done": lambda at: Fault(at=at, kind="replaced", data=b"\x90\x00"),
    "an error": lambda at: Fault(at=at, kind="replaced", data=b"\x69\x82"),
    "the answer before": lambda at: Fault(at=at, kind="repeated"),
    "noise": lambda at: Fault(at=at, kind="replaced", data=random.Random(at).randbytes(60) + b"\x90\x00"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_not_the_cards_at_each_step(authorities: Authorities, lie: str) -> None:
    """Wherever it happens: an error of ours, or what is read is what is on the card."""
    count = steps(authorities)
    refused = 0
    for at in range(1, count + 1):
        with laid_on(FaultyChip(Chip(authorities.card()), [LIES[lie](at)])) as card:
            try:
                entered(card, authorities)
                assert attributes_of(card.read([4])).given_names == ERIKA.given_names
                card.verify([BIRTH])
            except EidError:
                refused += 1
    assert refused > count // 2


def test_any_bit_that_is_turned_on_the_way_back_is_noticed(authorities: Authorities) -> None:
    chance = random.Random(4)

    class Noisy(Line):
        """Turns one bit of one answer after the channel is open."""

        def __init__(self, chip: Chip, at: int) -> None:
            super().__init__(chip)
            self.at = at

        def transmit(self, command: bytes) -> bytes:
            answer = bytearray(super().transmit(command))
            if len(self.said) == self.at:
                answer[chance.randrange(len(answer))] ^= 1 << chance.randrange(8)
            return bytes(answer)

    count = steps(authorities)
    for at in range(10, count + 1):
        with Card(Noisy(Chip(authorities.card()), at)) as card, pytest.raises(EidError):
            whole(card, authorities)


def test_names_of_the_standard() -> None:
    assert EID.hex() == "e80704007f00070302"
    assert AUXILIARY.hex() == "04007f0007030104"
