"""PACE: terminal and card prove to each other that they know the same short secret, and share keys after it
(TR-03110-2 §3.2, TR-03110-3 §B.1; ECDH with the generic mapping)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import msgspec

from servicepunkt.eid.card.access import Protocol
from servicepunkt.eid.card.apdu import ALL, OK, Answer, Command, Conversation, refusal
from servicepunkt.eid.card.messaging import FOR_CHECKSUM, FOR_PASSWORD, SecureMessaging, checksum, decipher, derive
from servicepunkt.eid.errors import CardError, CryptoError, MalformedError, WrongSecretError
from servicepunkt.eid.model import RetryState, Secrets
from servicepunkt.eid.rights import Chat
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.tlv import need, only, parse, tlv

Randomness = Callable[[int], bytes]
DYNAMIC = 0x7C
CHAINED = 0x10
_STATES = frozenset([OK, 0x63C0, 0x63C1, 0x63C2, 0x63C3, 0x6283])


class Channel(msgspec.Struct, frozen=True):
    """What PACE came to. `id_picc`: by what the card is called in terminal authentication; `authorities`: whose
    certificates it believes, the newest first. Without a CHAT the card names none."""

    messaging: SecureMessaging
    id_picc: bytes
    authorities: tuple[bytes, ...] = ()


def retry_state(protocol: Protocol) -> Conversation[RetryState]:
    """How many tries the PIN has: asked without entering it."""
    answer = yield _set_authentication(protocol, Secrets.PIN, None)
    return RetryState.of_status(answer.status)


def pace(
    protocol: Protocol, kind: Secrets, secret: Secret, randomness: Randomness, *, chat: Chat | None = None
) -> Conversation[Channel]:
    """The channel that the secret opens. `chat`: with what rights a terminal wants to authenticate itself after this.

    Raises WrongSecretError, SuspendedError, BlockedError, DeactivatedError, CardError, CryptoError, MalformedError.
    """
    curve = protocol.curve
    answer = yield _set_authentication(protocol, kind, chat)
    if answer.status not in _STATES or (kind != Secrets.PIN and answer.status != OK):
        raise refusal(answer.status)
    state = RetryState.of_status(answer.status)
    if kind == Secrets.PIN and state.is_blocked:
        raise refusal(answer.status)

    nonce = need((yield _authenticate(b"")).require(), DYNAMIC, 0x80)
    number = int.from_bytes(decipher(_password_key(kind, secret, protocol.key_size), nonce), "big")

    mapping = curve.scalar(randomness)
    mapped = need((yield _authenticate(tlv(0x81, curve.encode(curve.multiply(mapping))))).require(), DYNAMIC, 0x82)
    shared = curve.multiply(mapping, curve.decode(mapped))
    generator = curve.add(curve.multiply(number), shared)

    key = curve.scalar(randomness)
    own = curve.encode(curve.multiply(key, generator))
    other = need((yield _authenticate(tlv(0x83, own))).require(), DYNAMIC, 0x84)
    if other == own:
        raise CryptoError(what="PACE", why="the card said our own key back")
    secret_x = curve.multiply(key, curve.decode(other))[0].to_bytes(curve.size, "big")

    tokens = derive(secret_x, FOR_CHECKSUM, size=protocol.key_size)
    answer = yield _authenticate(tlv(0x85, token(tokens, protocol.oid, other)), is_last=True)
    if answer.status != OK:
        raise _mistaken(kind, answer, state)
    found = only(answer.data, DYNAMIC)
    if not hmac.compare_digest(need(found, 0x86), token(tokens, protocol.oid, own)):
        raise CryptoError(what="PACE", why="the card's token does not fit")
    authorities = tuple(one.value for one in parse(found) if one.tag in (0x87, 0x88))
    x = other[1 : 1 + curve.size]
    return Channel(SecureMessaging.derived(secret_x, size=protocol.key_size), x, authorities)


def token(key: bytes, oid: bytes, public: bytes) -> bytes:
    """The authentication token over the other side's ephemeral key (TR-03110-3 §A.2.4.1)."""
    return checksum(key, tlv(0x7F49, tlv(0x06, oid), tlv(0x86, public)))


def _password_key(kind: Secrets, secret: Secret, size: int) -> bytes:
    """A machine-readable zone is hashed before: it is longer than the others, and of another kind."""
    value = secret.reveal()
    if kind == Secrets.MRZ:
        value = hashlib.sha1(value).digest()  # noqa: S324 - the standard
    return derive(value, FOR_PASSWORD, size=size)


def _set_authentication(protocol: Protocol, kind: Secrets, chat: Chat | None) -> Command:
    data = tlv(0x80, protocol.oid) + tlv(0x83, bytes([kind])) + (chat.encode() if chat else b"")
    return Command(0x00, 0x22, 0xC1, 0xA4, data + tlv(0x84, bytes([protocol.curve.parameter_id])))


def _authenticate(data: bytes, *, is_last: bool = False) -> Command:
    return Command(0x00 if is_last else CHAINED, 0x86, 0x00, 0x00, tlv(DYNAMIC, data), ALL)


def _mistaken(kind: Secrets, answer: Answer, before: RetryState) -> CardError:
    """What a refused token means: a wrong secret, as long as the card does not say something else.

    The card says how many tries are left as 63CX, or only that something was wrong; then they are counted here.
    """
    status = answer.status
    if status >> 4 != 0x63C and status not in (0x6300, 0x6982, 0x6988):
        return refusal(status)
    if kind != Secrets.PIN:
        return WrongSecretError(kind=kind.name)
    tries = status & 0x0F if status >> 4 == 0x63C else max(0, (before.tries or 1) - 1)
    return WrongSecretError(kind=kind.name, tries=tries)


def mrz_secret(number: str, birth: str, expiry: str) -> Secret:
    """From document number, day of birth and last day (YYMMDD), each with its check digit (ICAO 9303-3 §4.9).

    Raises MalformedError.
    """
    return Secret("".join(part + check_digit(part) for part in (number.upper().ljust(9, "<"), birth, expiry)))


def check_digit(text: str) -> str:
    """Raises MalformedError for a letter that is in no machine-readable zone."""
    total = 0
    for weight, letter in zip((7, 3, 1) * len(text), text, strict=False):
        if letter.isdigit() and letter.isascii():
            value = int(letter)
        elif "A" <= letter <= "Z":
            value = ord(letter) - 55
        elif letter == "<":
            value = 0
        else:
            raise MalformedError(what="machine-readable zone", why="a letter that is not in one")
        total += weight * value
    return str(total % 10)
