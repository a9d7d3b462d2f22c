"""An unmodified AusweisApp2 at the virtual card: through pcscd and vpcd, and for identification to the test server.

All of it runs in a network of its own. The test says what a person would, over the AusweisApp's websocket.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import websockets
from msgspec.structs import replace

from servicepunkt.eid.cvc import CertificateDescription
from servicepunkt.eid.groups import attributes_of
from servicepunkt.eid.rights import Right, reading
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip, Fault, FaultyChip
from servicepunkt.eid.testing.chip.pin import PinState
from servicepunkt.eid.testing.paos import Conversation, PaosServer, Request
from servicepunkt.eid.testing.person import CAN, ERIKA, PIN, PUK, TRANSPORT_PIN
from servicepunkt.eid.testing.pki import Signer, new_server, sector
from servicepunkt.eid.testing.room import Room
from servicepunkt.eid.testing.terminal import AGE, COMMUNITY, EXPIRY, auxiliary_data
from servicepunkt.eid.testing.vpcd import inserted

#: Both sides look at the clock of the machine.
TODAY: date = datetime.now(UTC).date()
VPCD, SDK = 35_963, 24_727
NEW_PIN = "654321"
WRONG = "111111"
OK = "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok"
Message = dict[str, Any]


@pytest.fixture
def room(readers: Room, program: Callable[[str], str]) -> Room:
    ausweisapp = program("AusweisApp2")
    home, runtime = readers.folder / "home", readers.folder / "run"
    runtime.mkdir(mode=0o700)
    settings = home / ".config" / "Unknown Organization" / "AusweisApp2.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[preverification]\nenabled=false\n")  # else it trusts the anchors of the state alone
    readers.start(
        ausweisapp, "--keep", "--no-logfile", "--no-proxy", "--ui", "websocket", "--address", "127.0.0.1",
        environment={"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    return readers


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities.new(today=TODAY)


@pytest.fixture(scope="module")
def certificate() -> Signer:
    return new_server(today=TODAY)


@pytest.fixture
def server(room: Room, certificate: Signer) -> Iterator[PaosServer]:
    with PaosServer(room.listen(), certificate) as running:
        yield running


@pytest.fixture
def request_(authorities: Authorities, server: PaosServer, certificate: Signer) -> Request:
    description = CertificateDescription(
        issuer_name="Test DV", issuer_url=server.address, subject_name="Stadt Musterstadt", subject_url=server.address,
        terms="Name, Anschrift\r\nZweck: Test", communication_certificates=(hashlib.sha256(certificate.der).digest(),),
    )  # fmt: skip
    key = authorities.sector_key
    return Request(
        terminal=authorities.terminal(extensions=(description.extension(), sector(key))),
        chain=(authorities.country.certificate, authorities.verifier.certificate),
        description=description.encode(),
        csca=authorities.csca.certificate,
        required=reading(4, 5, 8, 17) | {
            Right.AGE_VERIFICATION, Right.COMMUNITY_VERIFICATION, Right.RESTRICTED_IDENTIFICATION,
        },
        optional=reading(9, 10),
        auxiliary=auxiliary_data({
            AGE: f"{TODAY.year - 18}0101".encode(), EXPIRY: f"{TODAY:%Y%m%d}".encode(), COMMUNITY: b"\x02\x76\x05",
        }),
        questions=(AGE, EXPIRY, COMMUNITY),
        sector=key.encode(),
        transaction="Musterstadt",
    )  # fmt: skip


class Person:
    """Somebody at the AusweisApp: gives what is asked for, in the order in which it is written down.

    `asked` is every question that came, `readers` what was said of the card.
    """

    def __init__(self, socket: websockets.ClientConnection, card: FaultyChip) -> None:
        self._socket = socket
        self.card = card
        self.asked: list[str] = []
        self.readers: list[Message] = []

    async def send(self, cmd: str, **fields: object) -> None:
        await self._socket.send(json.dumps({"cmd": cmd, **fields}))

    async def come(self, *wanted: str, seconds: float = 20) -> Message:
        """The next message of one of these kinds that says more than that something began."""
        async with asyncio.timeout(seconds):
            while True:
                message: Message = json.loads(await self._socket.recv())
                kind = message["msg"]
                if kind == "READER" and message.get("card"):
                    self.readers.append(message["card"])
                if kind.startswith("ENTER_"):
                    self.asked.append(kind)
                if kind in wanted and (kind.startswith(("ENTER", "ACCESS", "READER", "INSERT")) or len(message) > 1):
                    return message

    async def answer(self, *secrets: str, end: str, at: str = "", take: int = 0) -> Message:
        """Give secrets as they are asked for, until the workflow ends; who has none left cancels.

        With `take`, the card is taken away at that many commands after the question `at` was answered.
        """
        left = list(secrets)
        while True:
            message = await self.come(end, "ENTER_PIN", "ENTER_CAN", "ENTER_PUK", "ENTER_NEW_PIN", "INSERT_CARD")
            kind = message["msg"]
            if kind == end:
                return message
            if kind == "INSERT_CARD" and not self.card.faults:
                continue  # it lies there, and has not been noticed yet
            if not left or kind == "INSERT_CARD":
                await self.send("CANCEL")
                continue
            if take and kind == at:
                self.card.faults.append(Fault(at=self.card.asked + take, kind="removed"))
            await self.send(f"SET_{kind.removeprefix('ENTER_')}", value=left.pop(0))

    async def change_pin(self, *secrets: str, at: str = "", take: int = 0) -> bool:
        await self.send("RUN_CHANGE_PIN")
        found: bool = (await self.answer(*secrets, end="CHANGE_PIN", at=at, take=take))["success"]
        return found

    async def identify(
        self, url: str, *secrets: str, rights: Sequence[str] = (), take: int = 0, at: str = "ENTER_PIN"
    ) -> Message:
        """The final message. `rights`: those optional ones that stay switched on."""
        await self.send("RUN_AUTH", tcTokenURL=url, developerMode=False)
        shown = await self.come("ACCESS_RIGHTS", "AUTH")
        if shown["msg"] == "AUTH":
            return shown
        await self.send("SET_ACCESS_RIGHTS", chat=list(rights))
        self.rights = (await self.come("ACCESS_RIGHTS"))["chat"]
        await self.send("ACCEPT")
        return await self.answer(*secrets, end="AUTH", at=at, take=take)


@pytest.fixture
def person(room: Room) -> Callable[..., Any]:
    @asynccontextmanager
    async def sitting(card: FaultyChip) -> AsyncIterator[Person]:
        async with (
            inserted(card, sock=room.connect(VPCD)),
            websockets.connect("ws://127.0.0.1/eID-Kernel", sock=room.connect(SDK), max_size=2**20) as socket,
        ):
            yield Person(socket, card)

    return sitting


Sitting = Callable[[FaultyChip], Any]


def begun(server: PaosServer, request_: Request) -> tuple[str, Conversation]:
    """Where the token of a new session is, and what will come of it."""
    session = server.new_session(request_)
    return server.token_url(session), server.conversations[session]


def is_ok(message: Message) -> bool:
    return bool(message.get("result", {}).get("major") == OK)


# --- Identify


async def test_identified_to_the_end(
    person: Sitting, server: PaosServer, request_: Request, authorities: Authorities
) -> None:
    url, conversation = begun(server, request_)
    async with person(FaultyChip(Chip(authorities.card()))) as somebody:
        assert is_ok(await somebody.identify(url, PIN, rights=["PlaceOfBirth"]))
        assert somebody.asked == ["ENTER_PIN"]
        assert "Nationality" not in somebody.rights["effective"]
    found = conversation.result
    assert found is not None
    attributes = attributes_of(found.groups)
    for name in ("given_names", "family_names", "date_of_birth", "address", "place_of_birth"):
        assert getattr(attributes, name) == getattr(ERIKA, name)
    assert (attributes.nationality, attributes.birth_name) == ("", "")
    assert found.answers == {AGE: 0x9000, EXPIRY: 0x9000, COMMUNITY: 0x9000}
    assert len(found.pseudonym) == 32


async def test_what_was_deselected_cannot_be_read(
    person: Sitting, server: PaosServer, request_: Request, authorities: Authorities
) -> None:
    url, conversation = begun(server, replace(request_, beyond=(9, 10, 13)))
    async with person(FaultyChip(Chip(authorities.card()))) as somebody:
        assert is_ok(await somebody.identify(url, PIN))
    assert conversation.result is not None
    assert {at: conversation.result.statuses[at] for at in (9, 10, 13)} == dict.fromkeys((9, 10, 13), 0x6982)
    assert sorted(conversation.result.groups) == [4, 5, 8, 17]


async def test_two_wrong_pins_then_the_can(
    person: Sitting, server: PaosServer, request_: Request, authorities: Authorities
) -> None:
    url, conversation = begun(server, request_)
    chip = Chip(authorities.card())
    async with person(FaultyChip(chip)) as somebody:
        assert is_ok(await somebody.identify(url, WRONG, WRONG, CAN, PIN))
        assert somebody.asked == ["ENTER_PIN", "ENTER_PIN", "ENTER_CAN", "ENTER_PIN"]
        assert [card["retryCounter"] for card in somebody.readers][:3] == [3, 2, 1]
    assert conversation.result is not None
    assert chip.memory.pin_state is PinState.THREE_TRIES


async def test_a_verifier_that_the_card_does_not_know(
    person: Sitting, server: PaosServer, request_: Request, authorities: Authorities
) -> None:
    other = Authorities.new(today=TODAY)
    url, conversation = begun(server, request_)
    card = FaultyChip(Chip(other.card()))
    card.chip.memory.anchors = tuple(replace(one, holder=authorities.country.name) for one in card.chip.memory.anchors)
    async with person(card) as somebody:
        assert not is_ok(await somebody.identify(url, PIN))
    assert conversation.result is None
    assert card.chip.session.rights == frozenset()


@pytest.mark.parametrize("wrong", ["expired", "description"])
async def test_a_service_whose_papers_are_wrong_is_refused(
    wrong: str, person: Sitting, server: PaosServer, request_: Request, authorities: Authorities
) -> None:
    terminal = request_.terminal
    if wrong == "expired":
        before = TODAY - timedelta(days=40)
        terminal = authorities.terminal(today=before, days=30, extensions=terminal.certificate.extensions)
    description = request_.description if wrong == "expired" else request_.description.replace(b"Muster", b"Mister")
    url, conversation = begun(server, replace(request_, terminal=terminal, description=description))
    async with person(FaultyChip(Chip(authorities.card()))) as somebody:
        assert not is_ok(await somebody.identify(url, PIN))
        # The description is the client's to check; dates are the card's, since the client was told not to look.
        assert somebody.asked == ([] if wrong == "description" else ["ENTER_PIN"])
    assert conversation.result is None


#: Commands after the PIN: four of PACE, challenge, certificates, terminal and chip authentication, and what is read.
@pytest.mark.parametrize("take", [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 20, 24])
async def test_taken_away_while_identifying(
    take: int, person: Sitting, server: PaosServer, request_: Request, authorities: Authorities
) -> None:
    url, conversation = begun(server, request_)
    chip = Chip(authorities.card())
    async with person(FaultyChip(chip)) as somebody:
        ended = await somebody.identify(url, PIN, take=take)
    assert not is_ok(ended)
    assert conversation.result is None
    assert chip.memory.pin_state is PinState.THREE_TRIES
    assert chip.session.rights == frozenset()


# --- PIN


async def test_changing_the_pin(person: Sitting, authorities: Authorities) -> None:
    chip = Chip(authorities.card())
    async with person(FaultyChip(chip)) as somebody:
        assert await somebody.change_pin(PIN, NEW_PIN)
        assert somebody.asked == ["ENTER_PIN", "ENTER_NEW_PIN"]
    assert chip.memory.pin.reveal() == NEW_PIN.encode()


async def test_the_digits_of_the_letter_become_a_pin(person: Sitting, authorities: Authorities) -> None:
    chip = Chip(authorities.card(pin=TRANSPORT_PIN))
    async with person(FaultyChip(chip)) as somebody:
        assert await somebody.change_pin(TRANSPORT_PIN, NEW_PIN)
    assert chip.memory.pin.reveal() == NEW_PIN.encode()


async def test_wrong_ones_until_blocked_then_the_puk(person: Sitting, authorities: Authorities) -> None:
    chip = Chip(authorities.card())
    async with person(FaultyChip(chip)) as somebody:
        assert await somebody.change_pin(WRONG, WRONG, CAN, WRONG, PUK, PIN, NEW_PIN)
        assert somebody.asked == [
            "ENTER_PIN", "ENTER_PIN", "ENTER_CAN", "ENTER_PIN", "ENTER_PUK", "ENTER_PIN", "ENTER_NEW_PIN",
        ]  # fmt: skip
        assert [card["retryCounter"] for card in somebody.readers][:4] == [3, 2, 1, 0]
    assert chip.memory.puk_uses == 9
    assert chip.memory.pin.reveal() == NEW_PIN.encode()


async def test_who_knows_no_puk_stays_blocked(person: Sitting, authorities: Authorities) -> None:
    chip = Chip(authorities.card())
    chip.memory.pin_state = PinState.BLOCKED
    async with person(FaultyChip(chip)) as somebody:
        assert not await somebody.change_pin(PUK[::-1])
        assert somebody.asked == ["ENTER_PUK", "ENTER_PUK"]
    assert chip.memory.pin_state is PinState.BLOCKED
    assert chip.memory.puk_uses == 10


async def test_a_pin_that_is_switched_off(person: Sitting, authorities: Authorities) -> None:
    chip = Chip(authorities.card(pin_active=False))
    async with person(FaultyChip(chip)) as somebody:
        await somebody.send("RUN_CHANGE_PIN")
        while not somebody.readers:
            await somebody.come("READER")
        await somebody.send("CANCEL")
        assert not (await somebody.come("CHANGE_PIN"))["success"]
        assert somebody.readers[0] == {"deactivated": True, "inoperative": False, "retryCounter": 0}
        assert somebody.asked == []


@pytest.mark.parametrize(("at", "take"), [("ENTER_PIN", 1), ("ENTER_PIN", 3), ("ENTER_PIN", 5), ("ENTER_NEW_PIN", 1)])
async def test_taken_away_while_changing_the_pin(at: str, take: int, person: Sitting, authorities: Authorities) -> None:
    """AusweisApp2 1.26 says success where the card went before a new PIN was asked for: nobody may believe that."""
    chip = Chip(authorities.card())
    async with person(FaultyChip(chip)) as somebody:
        said = await somebody.change_pin(PIN, NEW_PIN, at=at, take=take)
        assert not (said and "ENTER_NEW_PIN" in somebody.asked)
    assert chip.memory.pin.reveal() == PIN.encode()
    assert chip.memory.pin_state is PinState.THREE_TRIES
