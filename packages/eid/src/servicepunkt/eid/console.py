"""What `python -m servicepunkt.eid` and `servicepunkt eid` do: a card at this computer, asked for in plain words.

The reader `practice` is a virtual card of the published test person in this process: nothing is identified with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec

from servicepunkt.eid import cvc, groups
from servicepunkt.eid.card.card import Card
from servicepunkt.eid.card.terminal import BIRTH, Terminal, auxiliary
from servicepunkt.eid.errors import BlockedError, EidError, SuspendedError, WrongSecretError
from servicepunkt.eid.model import Attributes, RetryState, Secrets
from servicepunkt.eid.reader.words import words_for
from servicepunkt.eid.rights import Chat, Right, reading
from servicepunkt.eid.secret import Secret

PRACTICE = "practice"
#: What the practice asks for: names, day of birth, address, and whether somebody is of age.
GROUPS = (4, 5, 8, 17)
OF_AGE = 18
PRACTISING = "PRACTICE: a virtual card of the test person. The PIN is 123456, the CAN 500540."
CAN_ASKED = "Card access number (6 digits, front of the card): "
Ask = Callable[[str], str]
Say = Callable[[str], None]


class CardStatus(msgspec.Struct, frozen=True):
    """For programs: the reader, what is left of the PIN, and whether the online function is on."""

    reader: str
    tries: int | None
    active: bool
    suspended: bool
    blocked: bool
    practice: bool = False


def laid_on(reader: str) -> Card:
    """The card in a reader whose name begins so. Raises NoReaderError, NoCardError, CardError."""
    if reader == PRACTICE:
        return Practice().card
    from servicepunkt.eid.reader.pcsc import connect

    return Card(connect(reader))


class Practice:
    """A virtual card with its own country: PIN 123456, CAN 500540, PUK 9876543210."""

    def __init__(self) -> None:
        from servicepunkt.eid.testing.authorities import Authorities
        from servicepunkt.eid.testing.chip import Chip

        self.authorities = Authorities.new(today=datetime.now(UTC).date())
        self._chip = Chip(self.authorities.card())
        self.card = Card(self)

    def transmit(self, command: bytes) -> bytes:
        return self._chip.answer(command)

    def close(self) -> None:
        self._chip.power_off()

    def identify(self, chat: Chat) -> None:
        """The terminal's and the chip's part, after the channel is open."""
        own = self.authorities.terminal(chat.rights)
        chain = cvc.path([*self.authorities.chain, own.certificate], start=self.authorities.country.certificate.holder)
        terminal = Terminal(chain=chain, sign=lambda data: cvc.sign(own.key, data))
        today = self.authorities.today
        compared = auxiliary(born_before=years_before(today, OF_AGE), valid_on=today)
        trusted = [self.authorities.csca.certificate]
        self.card.authenticate(terminal, compared=compared, trusted=trusted, at=datetime.now(UTC))


def years_before(day: date, years: int) -> date:
    """The last birthday with which somebody is so old on a day; of 29 February, 28 February of other years."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 2, 28)


def status(reader: str) -> CardStatus:
    """Raises EidError."""
    with laid_on(reader) as card:
        found = card.status()
    return CardStatus(reader, found.tries, found.active, found.is_suspended, found.is_blocked, reader == PRACTICE)


def identify(ask: Ask, say: Say) -> Attributes:
    """The practice of identifying: what is asked for is shown first, then the PIN is asked. Raises EidError."""
    practice = Practice()
    chat = Chat.of({*reading(*GROUPS), Right.AGE_VERIFICATION})
    say(PRACTISING)
    say("Asked for: given names, family names, day of birth, address; whether the person is of age.")
    with practice.card as card:
        unlock(card, ask, say, chat)
        practice.identify(chat)
        found = groups.attributes_of(card.read(GROUPS))
        say(f"Of age: {'yes' if card.verify([BIRTH])[BIRTH] else 'no'}")
    return found


def unlock(card: Card, ask: Ask, say: Say, chat: Chat | None = None) -> None:
    """Ask for the PIN until it is right, for the CAN where the card wants it. Raises BlockedError, EidError."""
    while True:
        state = card.status()
        if state.is_blocked:
            raise BlockedError
        can = digits(ask, say, CAN_ASKED, 6) if state.is_suspended else None
        pin = digits(ask, say, "PIN (6 digits): ", 6)
        try:
            if can is None:
                card.open(Secrets.PIN, pin, chat=chat)
            else:
                card.resume(can, pin, chat=chat)
        except (WrongSecretError, SuspendedError) as error:
            say(" ".join(words_for(error)))
            say(tries_left(card.status()))
            continue
        return


def change_pin(reader: str, ask: Ask, say: Say) -> None:
    """The present PIN, or the five digits of the letter, become a new one; the PUK unblocks it before, where it is
    needed. Raises EidError, ValueError."""
    if reader == PRACTICE:
        say(PRACTISING)
    with laid_on(reader) as card:
        state = card.status()
        say(tries_left(state))
        if state.is_blocked:
            card.unblock(digits(ask, say, "PUK (10 digits, from the letter): ", 10))
            say("The PIN is unblocked and what it was.")
        if state.is_suspended:
            card.open(Secrets.CAN, digits(ask, say, CAN_ASKED, 6))
        present = digits(ask, say, "Present PIN (6 digits, or the 5 of the letter): ", 5, 6)
        new, again = digits(ask, say, "New PIN (6 digits): ", 6), ask("New PIN once more: ")
        if new.reveal() != again.encode():
            raise ValueError("the two new PINs differ")
        card.change_pin(present, new)


def digits(ask: Ask, say: Say, question: str, *lengths: int) -> Secret:
    """Asked until it has so many digits: what is mistyped never reaches the card, which would take a try for it."""
    while True:
        typed = ask(question)
        if typed.isascii() and typed.isdigit() and len(typed) in lengths:
            return Secret(typed)
        say(f"{' or '.join(map(str, lengths))} digits, please. No try was lost.")


def tries_left(state: RetryState) -> str:
    if not state.active:
        return "The online function is off."
    if state.is_blocked:
        return "The PIN is blocked; the PUK unblocks it."
    if state.is_suspended:
        return "One try is left; the card wants its access number first."
    return f"The PIN has {state.tries} tries."


def lines_of(person: Attributes) -> list[str]:
    """What was read, a line each."""
    return [f"{name.replace('_', ' ')}: {getattr(person, name)}" for name in person.held()]


def tries_left_of(found: CardStatus) -> str:
    return tries_left(RetryState(tries=found.tries, active=found.active))


def refused(error: EidError | ValueError) -> str:
    """A sentence about what went wrong and what to do."""
    return f"{error.code} {' '.join(words_for(error))}" if isinstance(error, EidError) else str(error)
