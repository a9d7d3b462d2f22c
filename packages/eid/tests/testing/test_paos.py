"""The eID server for tests: a session from its token to what the card gave, played by a client of messages."""

from __future__ import annotations

import hashlib
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.cvc import Certificate, CertificateDescription, path
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.groups import attributes_of
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat, Right, reading
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip
from servicepunkt.eid.testing.chip.apdu import Command
from servicepunkt.eid.testing.paos import Conversation, PaosServer, Request
from servicepunkt.eid.testing.paos.conversation import AWAITED, State
from servicepunkt.eid.testing.paos.errors import ClientError, MessageError, OrderError, ProofError
from servicepunkt.eid.testing.paos.messages import MOST_BYTES, parse
from servicepunkt.eid.testing.person import PIN
from servicepunkt.eid.testing.pki import Signer, new_server, sector
from servicepunkt.eid.testing.terminal import AGE, COMMUNITY, EXPIRY, Terminal, auxiliary_data
from servicepunkt.eid.tlv import need, only, tlv

NewChip = Callable[..., Chip]
TECH = "urn:iso:std:iso-iec:24727:tech:schema"
OK = "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok"
DESCRIPTION = CertificateDescription(
    issuer_name="Test DV", subject_name="Stadt Musterstadt", subject_url="https://localhost", terms="Zweck: Test",
    communication_certificates=(hashlib.sha256(b"").digest(),),
)  # fmt: skip


@pytest.fixture(scope="module")
def request_(authorities: Authorities) -> Request:
    key = authorities.sector_key
    return Request(
        terminal=authorities.terminal(extensions=(DESCRIPTION.extension(), sector(key))),
        chain=authorities.chain,
        description=DESCRIPTION.encode(),
        csca=authorities.csca.certificate,
        required=reading(4, 5) | {Right.AGE_VERIFICATION, Right.RESTRICTED_IDENTIFICATION},
        optional=reading(8, 9) | {Right.COMMUNITY_VERIFICATION},
        auxiliary=auxiliary_data({AGE: b"20081122", EXPIRY: b"20261122", COMMUNITY: b"\x02\x76"}),
        questions=(AGE, EXPIRY, COMMUNITY),
        sector=key.encode(),
        beyond=(17,),
    )


def result(major: str = OK, minor: str = "") -> str:
    return (
        f'<Result xmlns="urn:oasis:names:tc:dss:1.0:core:schema"><ResultMajor>{major}</ResultMajor>'
        f"<ResultMinor>{minor}</ResultMinor></Result>"
    )


def post(body: str, number: int, relates_to: str = "") -> bytes:
    return (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:wsa="http://www.w3.org/2005/03/addressing" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:iso="{TECH}"><s:Header><wsa:RelatesTo>{relates_to}</wsa:RelatesTo>'
        f"<wsa:MessageID>{number}</wsa:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


class Client:
    """What a client does between server and card, step by step: `posts` makes the next message of what came."""

    def __init__(self, chip: Chip, session: str, removed: frozenset[Right] = frozenset()) -> None:
        self.chip = chip
        self.session = session
        self.removed = removed
        self.terminal = Terminal(chip.answer)
        self.number = 0
        self._came: dict[str, Any] = {}
        self._related = ""

    def next(self, answered: bytes | None = None) -> bytes:
        """The message that follows on an answer; the first one without."""
        self.number += 1
        if answered is None:
            handle = "<ConnectionHandle><SlotHandle>00</SlotHandle></ConnectionHandle>"
            session = f"<SessionIdentifier>{self.session}</SessionIdentifier>"
            return post(f'<StartPAOS xmlns="{TECH}">{session}{handle}</StartPAOS>', self.number)
        tree = ElementTree.fromstring(answered)
        self._related = tree.findtext(".//{http://www.w3.org/2005/03/addressing}MessageID", "")
        found: dict[str, list[str]] = {}
        for element in tree.iter():
            found.setdefault(element.tag.rpartition("}")[2], []).append(element.text or "")
        if "InitializeFramework" in found:
            body = "<InitializeFrameworkResponse xmlns='http://www.bsi.bund.de/ecard/api/1.1'>" + result()
            return self._post(body + "</InitializeFrameworkResponse>")
        if "Certificate" in found:
            return self._post(self._eac1(found))
        if "Signature" in found:
            return self._post(self._eac2(found))
        if "InputAPDU" in found:
            answers = [self.chip.answer(bytes.fromhex(one)).hex() for one in found["InputAPDU"]]
            outputs = "".join(f"<OutputAPDU>{one}</OutputAPDU>" for one in answers)
            return self._post(f'<TransmitResponse xmlns="{TECH}">{result()}{outputs}</TransmitResponse>')
        raise AssertionError("nothing follows")

    def _post(self, body: str) -> bytes:
        return post(body, self.number, self._related)

    def _eac1(self, found: dict[str, list[str]]) -> str:
        chats = [Chat.decode(bytes.fromhex(found[name][0])) for name in ("RequiredCHAT", "OptionalCHAT")]
        chat = Chat((chats[0].rights | chats[1].rights) - self.removed)
        self._came = found
        opened = self.terminal.pace(Secrets.PIN, PIN, chat)
        challenge = self.terminal.need(0, 0x84, 0, expected=8)
        return self._output("EAC1OutputType", {
            "CertificateHolderAuthorizationTemplate": chat.encode().hex(),
            "CertificationAuthorityReference": opened.anchors[0], "EFCardAccess": self.chip.memory.card_access.hex(),
            "IDPICC": opened.chip_id.hex(), "Challenge": challenge.hex(),
        })  # fmt: skip

    def _eac2(self, found: dict[str, list[str]]) -> str:
        public, signature = (bytes.fromhex(found[name][0]) for name in ("EphemeralPublicKey", "Signature"))
        given = [Certificate.parse(bytes.fromhex(one)) for one in self._came["Certificate"]]
        for one in path(given, start=self.chip.memory.anchors[0].holder):
            self.terminal.need(0, 0x22, 0x81B6, tlv(0x83, one.authority.encode()))
            self.terminal.need(0, 0x2A, 0x00BE, one.inner)
        auxiliary = bytes.fromhex(self._came["AuthenticatedAuxiliaryData"][0])
        chosen = tlv(0x80, one.key.algorithm) + tlv(0x83, one.holder.encode()) + auxiliary + tlv(0x91, public[1:33])
        self.terminal.need(0, 0x22, 0x81A4, chosen)
        self.terminal.need(0, 0x82, 0, signature)
        self.terminal.need(0, 0xA4, 0x020C, b"\x01\x1d")
        security = self.terminal.read_all()
        self.terminal.need(0, 0x22, 0x41A4, tlv(0x80, bytes.fromhex("04007F00070202030202")))
        answered = only(self.terminal.need(0, 0x86, 0, tlv(0x7C, tlv(0x80, public)), 256), 0x7C)
        return self._output("EAC2OutputType", {
            "EFCardSecurity": security.hex(), "AuthenticationToken": need(answered, 0x82).hex(),
            "Nonce": need(answered, 0x81).hex(),
        })  # fmt: skip

    def _output(self, kind: str, fields: dict[str, str]) -> str:
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        return (
            f'<DIDAuthenticateResponse xmlns="{TECH}">{result()}<AuthenticationProtocolData xsi:type="iso:{kind}">'
            f"{inner}</AuthenticationProtocolData></DIDAuthenticateResponse>"
        )


def run(conversation: Conversation, client: Client, steps: int = 5) -> bytes | None:
    """So many messages; the last answer."""
    answered = None
    for _ in range(steps):
        answered = conversation.receive(client.next(answered))
    return answered


def test_a_session_to_its_end(request_: Request, new_chip: NewChip) -> None:
    conversation = Conversation("abc", request_)
    last = run(conversation, Client(new_chip(), "abc", reading(9)))
    assert conversation.state is State.DONE
    assert last is not None
    assert OK.encode() in last
    found = conversation.result
    assert found is not None
    attributes = attributes_of(found.groups)
    assert (attributes.given_names, attributes.family_names, attributes.birth_name) == ("ERIKA", "MUSTERMANN", "")
    assert found.answers == {AGE: 0x9000, EXPIRY: 0x9000, COMMUNITY: 0x9000}
    assert found.statuses[17] == 0x6982
    assert 9 not in found.groups
    assert len(found.pseudonym) == 32
    assert "ERIKA" not in repr(found)


def test_pseudonyms_of_a_card_are_the_same_each_time(request_: Request, new_chip: NewChip) -> None:
    found = []
    for session in ("one", "two"):
        conversation = Conversation(session, request_)
        run(conversation, Client(new_chip(), session))
        assert conversation.result is not None
        found.append(conversation.result.pseudonym)
    assert found[0] == found[1]


@pytest.mark.parametrize("step", range(1, 5))
def test_a_message_twice_ends_the_session(step: int, request_: Request, new_chip: NewChip) -> None:
    conversation, client = Conversation("abc", request_), Client(new_chip(), "abc")
    answered, message = None, b""
    for _ in range(step):
        message = client.next(answered)
        answered = conversation.receive(message)
    with pytest.raises(OrderError):
        conversation.receive(message)
    assert conversation.state is State.FAILED
    assert conversation.result is None
    with pytest.raises(OrderError):
        conversation.receive(client.next(answered))


def test_the_number_of_a_message_counts_once(request_: Request, new_chip: NewChip) -> None:
    conversation, client = Conversation("abc", request_), Client(new_chip(), "abc")
    answered = conversation.receive(client.next())
    client.number = 0
    with pytest.raises(OrderError, match="replayed"):
        conversation.receive(client.next(answered))


def test_an_answer_to_another_message_ends_the_session(request_: Request, new_chip: NewChip) -> None:
    conversation, client = Conversation("abc", request_), Client(new_chip(), "abc")
    message = client.next(conversation.receive(client.next()))
    with pytest.raises(OrderError, match="another message"):
        conversation.receive(message.replace(b"urn:uuid:", b"urn:uuid:0"))
    assert conversation.state is State.FAILED


def test_nothing_after_the_end(request_: Request, new_chip: NewChip) -> None:
    conversation, client = Conversation("abc", request_), Client(new_chip(), "abc")
    run(conversation, client)
    with pytest.raises(OrderError):
        conversation.receive(Client(new_chip(), "abc").next())
    assert conversation.result is None


@pytest.mark.parametrize("skipped", range(4))
def test_a_message_too_early_ends_the_session(skipped: int, request_: Request, new_chip: NewChip) -> None:
    """Messages of a session that went right, given to one that is `skipped` messages behind."""
    ahead, client = Conversation("abc", request_), Client(new_chip(), "abc")
    answered, sent = None, []
    for _ in range(5):
        sent.append(client.next(answered))
        answered = ahead.receive(sent[-1])
    behind = Conversation("abc", request_)
    for message in sent[:1] if skipped else []:
        behind.receive(message)
    with pytest.raises(OrderError):
        behind.receive(sent[skipped + 1])
    assert behind.result is None


def test_another_session_is_refused(request_: Request, new_chip: NewChip) -> None:
    conversation = Conversation("abc", request_)
    with pytest.raises(OrderError, match="another session"):
        conversation.receive(Client(new_chip(), "abd").next())


def changed(message: bytes, name: str) -> bytes:
    """With one letter of a field changed."""
    text = message.decode()
    at = text.index(f"<{name}>") + len(name) + 2 + 8
    return (text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]).encode()


@pytest.mark.parametrize(
    ("step", "field"), [(4, "AuthenticationToken"), (4, "Nonce"), (4, "EFCardSecurity"), (5, "OutputAPDU")]
)
def test_a_proof_that_was_changed_is_refused(step: int, field: str, request_: Request, new_chip: NewChip) -> None:
    conversation, client = Conversation("abc", request_), Client(new_chip(), "abc")
    message = client.next(run(conversation, client, step - 1))
    with pytest.raises(ProofError):
        conversation.receive(changed(message, field))
    assert conversation.state is State.FAILED
    assert conversation.result is None


def test_a_required_right_that_is_missing(request_: Request, new_chip: NewChip) -> None:
    conversation, client = Conversation("abc", request_), Client(new_chip(), "abc", reading(4))
    with pytest.raises(ProofError, match="rights"):
        run(conversation, client)


def test_a_card_of_another_country(request_: Request, authorities: Authorities, new_chip: NewChip) -> None:
    other = Authorities.new(today=date(2026, 11, 22))
    conversation = Conversation("abc", msgspec.structs.replace(request_, csca=other.csca.certificate))
    with pytest.raises(ProofError, match="chip authentication"):
        run(conversation, Client(new_chip(), "abc"))


def test_a_client_that_gives_up(request_: Request) -> None:
    conversation = Conversation("abc", request_)
    handle = "<ConnectionHandle><SlotHandle>00</SlotHandle></ConnectionHandle>"
    conversation.receive(
        post(f'<StartPAOS xmlns="{TECH}"><SessionIdentifier>abc</SessionIdentifier>{handle}</StartPAOS>', 1)
    )
    minor = "http://www.bsi.bund.de/ecard/api/1.1/resultminor/sal#cancellationByUser"
    with pytest.raises(ClientError, match="sal#cancellationByUser"):
        conversation.receive(
            post(f'<DIDAuthenticateResponse xmlns="{TECH}">{result("x#error", minor)}</DIDAuthenticateResponse>', 2)
        )
    assert isinstance(conversation.error, ClientError)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a/>",
        b"\xff\xfe<\x00a\x00",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        post("", 1),
        post("<a/><b/>", 1),
        post("<a/>", 1),
        post(f'<TransmitResponse xmlns="{TECH}">{result()}<OutputAPDU>9x</OutputAPDU></TransmitResponse>', 1),
        post(f'<StartPAOS xmlns="{TECH}"/>', 1),
        post(f'<TransmitResponse xmlns="{TECH}">{result()}</TransmitResponse>', 1).replace(b"MessageID", b"Other"),
        post("<a>" * 3_000 + "</a>" * 3_000, 1),
        b" " * (MOST_BYTES + 1),
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(MessageError):
        parse(data)


@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: post(text, 1)))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(EidError):
        parse(data)


def test_every_state_has_an_end() -> None:
    assert set(State) - set(AWAITED) == {State.DONE, State.FAILED}
    assert {state for _, state in AWAITED.values()} == set(AWAITED) - {State.START} | {State.DONE}


# --- HTTPS


@pytest.fixture(scope="module")
def certificate() -> Signer:
    return new_server(today=date.today())  # noqa: DTZ011  the library below looks at the real clock


@pytest.fixture
def server(certificate: Signer) -> Iterator[PaosServer]:
    with PaosServer(socket.create_server(("127.0.0.1", 0)), certificate) as running:
        yield running


def fetch(url: str, certificate: Signer, data: bytes | None = None) -> bytes:
    context = ssl.create_default_context(cadata=certificate.der)
    with urllib.request.urlopen(url, data, 10, context=context) as answered:
        found: bytes = answered.read()
        return found


def test_a_session_over_https(server: PaosServer, certificate: Signer, request_: Request, new_chip: NewChip) -> None:
    session = server.new_session(request_)
    token = ElementTree.fromstring(fetch(server.token_url(session), certificate))
    assert token.findtext("SessionIdentifier") == session
    address = token.findtext("ServerAddress", "")
    client, answered = Client(new_chip(), session), None
    for _ in range(5):
        answered = fetch(address, certificate, client.next(answered))
    assert server.conversations[session].result is not None
    refused = fetch(address, certificate, Client(new_chip(), "0" * 32).next())
    assert b"internalError" in refused


def test_pages_that_are_not_there(server: PaosServer, certificate: Signer) -> None:
    for place, data in (("/token?session=x", None), ("/", None), ("/token", b"x")):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            fetch(server.address + place, certificate, data)
        refused.value.close()
    with pytest.raises((urllib.error.URLError, ConnectionError)) as failed:
        fetch(server.address + "/paos", certificate, bytes(MOST_BYTES + 1))
    if isinstance(failed.value, urllib.error.HTTPError):
        failed.value.close()


def test_a_server_holds_few_sessions(server: PaosServer, request_: Request) -> None:
    first = server.new_session(request_)
    for _ in range(16):
        server.new_session(request_)
    assert first not in server.conversations
    assert len(server.conversations) == 16


def test_commands_are_wrapped_ahead_and_unwrapped_in_order(new_chip: NewChip) -> None:
    chip = new_chip()
    terminal = Terminal(chip.answer)
    channel = terminal.pace(Secrets.PIN, PIN).channel
    reads = [Command(cla=0, ins=0xB0, p1=0x9C, p2=at, expected=4) for at in (0, 4, 8)]
    wrapped = [channel.wrap(one) for one in reads]
    found = b"".join(channel.unwrap(chip.answer(one))[0] for one in wrapped)
    assert found == chip.memory.card_access[:12]
