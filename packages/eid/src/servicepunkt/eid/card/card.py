"""A card on a line: `with Card(transport) as card: card.open(Secrets.PIN, pin)`.

It goes one way, and each step needs the ones before: open a channel with a secret, authenticate the terminal, then the
chip, and read. PIN management needs the channel alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from cryptography import x509

from servicepunkt.eid.card import files, management, security
from servicepunkt.eid.card.access import ChipKey, Protocol, SecurityInfos, security_infos
from servicepunkt.eid.card.apdu import Answer, Command, Conversation, Result
from servicepunkt.eid.card.chip import authenticate_chip
from servicepunkt.eid.card.messaging import SecureMessaging
from servicepunkt.eid.card.pace import Channel, Randomness, pace, retry_state
from servicepunkt.eid.card.restricted import pseudonym
from servicepunkt.eid.card.terminal import Terminal, authenticate_terminal, compressed, verify
from servicepunkt.eid.card.transport import Transport
from servicepunkt.eid.errors import CardError, CryptoError, MalformedError
from servicepunkt.eid.model import RetryState, Secrets
from servicepunkt.eid.rights import Chat
from servicepunkt.eid.secret import Secret

#: Data groups of the eID application have their number as short identifier.
GROUPS = range(1, 23)


class Card:
    """One card from the moment it was laid on until it is taken away. Not for several threads at once."""

    def __init__(self, transport: Transport, *, randomness: Randomness = os.urandom) -> None:
        self._transport, self._randomness = transport, randomness
        self._infos: SecurityInfos | None = None
        self._channel: Channel | None = None
        self._messaging: SecureMessaging | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the keys and let the card go."""
        self._forget()
        self._transport.close()

    def run(self, conversation: Conversation[Result]) -> Result:
        """Lead a conversation to its end. Raises what it raises; a line that breaks ends the channel, too."""
        try:
            command = next(conversation)
            while True:
                command = conversation.send(self._said(command))
        except StopIteration as done:
            result: Result = done.value
            return result

    def _said(self, command: Command) -> Answer:
        messaging = self._messaging
        try:
            if messaging is None:
                return Answer.decode(self._transport.transmit(bytes(command)))
            answer = Answer.decode(self._transport.transmit(bytes(messaging.wrap(command))))
            return messaging.unwrap(answer)
        except (CardError, CryptoError, MalformedError):
            self._forget()
            raise

    def _forget(self) -> None:
        if self._messaging is not None:
            self._messaging.close()
        self._messaging = self._channel = None

    # --- before any secret ------------------------------------------------------------------------------------

    @property
    def infos(self) -> SecurityInfos:
        """What the card can do, as it says itself, unprotected. Raises MalformedError, CardError."""
        if self._infos is None:
            self.run(files.select_master())
            self._infos = security_infos(self.run(files.read_file(files.CARD_ACCESS)))
        return self._infos

    @property
    def protocol(self) -> Protocol:
        """The PACE that is spoken. Raises MalformedError for a card that offers none that is known."""
        if not self.infos.pace:
            raise MalformedError(what="EF.CardAccess", why="no PACE that is known here")
        return self.infos.pace[0]

    def status(self) -> RetryState:
        """How the PIN is. Raises CardError."""
        return self.run(retry_state(self.protocol))

    # --- with a secret ----------------------------------------------------------------------------------------

    def open(self, kind: Secrets, secret: Secret, *, chat: Chat | None = None) -> Channel:
        """Open the channel by PACE, and wipe the secret. After a CAN the PIN may follow: within the channel of the CAN
        the third try of a suspended PIN is allowed.

        Raises WrongSecretError, SuspendedError, BlockedError, DeactivatedError, CardError, CryptoError.
        """
        protocol = self.protocol
        with secret:
            channel = self.run(pace(protocol, kind, secret, self._randomness, chat=chat))
        self._channel, self._messaging = channel, channel.messaging
        return channel

    def resume(self, can: Secret, pin: Secret, *, chat: Chat | None = None) -> Channel:
        """The third try of a suspended PIN: the CAN, and the PIN within its channel. Raises as `open`."""
        with pin:
            self.open(Secrets.CAN, can)
            return self.open(Secrets.PIN, pin, chat=chat)

    def change_pin(self, present: Secret, new: Secret) -> None:
        """The PIN, or the transport PIN with its five digits, becomes a new one of six digits, and both are wiped.

        Raises ValueError for a new one that is none, before anything is said to the card; else as `open`.
        """
        with present, new:
            if not new.is_digits(6):
                raise ValueError("a PIN has six digits")
            self.open(Secrets.PIN, present)
            self.run(management.change_pin(new))

    def unblock(self, puk: Secret) -> None:
        """Three tries again for a PIN that is blocked. Raises as `open`."""
        self.open(Secrets.PUK, puk)
        self.run(management.unblock_pin())

    # --- with certificates ------------------------------------------------------------------------------------

    def authenticate(
        self,
        terminal: Terminal,
        *,
        compared: Mapping[bytes, bytes],
        trusted: Sequence[x509.Certificate],
        at: datetime,
    ) -> None:
        """Terminal authentication, passive authentication and chip authentication, in this order.

        Raises CardError, CryptoError, CertificateError, and ValueError before a channel was opened.
        """
        channel = self._channel
        if channel is None:
            raise ValueError("no channel is open")
        curve = self.protocol.curve
        ephemeral = curve.scalar(self._randomness)
        named = compressed(curve, curve.multiply(ephemeral))
        self.run(authenticate_terminal(terminal, channel.id_picc, named, compared))
        self.run(files.select_master())
        signed = security_infos(security.verified(self.run(files.read_file(files.CARD_SECURITY)), trusted, at))
        protocol, key = _chosen(signed)
        self._messaging = self.run(authenticate_chip(protocol, key, ephemeral))
        self._infos = signed

    def switch_pin(self, *, on: bool) -> None:
        """Switch the online function on or off, for an authority with the right to manage PINs. Raises CardError."""
        self.run(management.activate_pin() if on else management.deactivate_pin())

    def read(self, groups: Iterable[int]) -> dict[int, bytes]:
        """Data groups by their numbers. Raises CardError, also for one that the terminal may not read."""
        self.run(files.select_eid())
        return {number: self.run(files.read_file(number)) for number in groups if number in GROUPS}

    def verify(self, oids: Iterable[bytes]) -> dict[bytes, bool]:
        """What was named to be compared: whether it is so. Raises CardError."""
        self.run(files.select_eid())
        return {oid: self.run(verify(oid)) for oid in oids}

    def pseudonym(self, sector: bytes) -> bytes:
        """What the card is called in a sector. Raises CardError, and MalformedError where the card offers none."""
        if not self.infos.restricted:
            raise MalformedError(what="EF.CardSecurity", why="no restricted identification")
        oid, key_id = self.infos.restricted[0]
        return self.run(pseudonym(oid, key_id, sector))


def _chosen(infos: SecurityInfos) -> tuple[Protocol, ChipKey]:
    """The first protocol of chip authentication with a key that was signed. Raises MalformedError."""
    for protocol in infos.chip:
        for key in infos.keys:
            if key.key_id == protocol.key_id and key.curve == protocol.curve:
                return protocol, key
    raise MalformedError(what="EF.CardSecurity", why="no key of chip authentication that is known here")
