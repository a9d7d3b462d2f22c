"""The AusweisApp of the simulator: the scripted one, with a card that comes and goes while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.ausweisapp import Conversation, Fail, FakeAusweisApp, FakeCard, Scenario, Words

#: So long the card is read, so that it can be taken away meanwhile.
READING_SECONDS = 1.0
UNREACHABLE = Fail(reason="Get_TcToken_Network_Error", minor="dp#trustedChannelEstablishmentFailed")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a service wants of the card, in names of access rights; `finish` hands over those that were allowed."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    finish: Callable[[frozenset[str]], None]


#: From the address of the TcToken. Raises EidError.
Fetch = Callable[[str], Task]


class SimulatedConversation(Conversation):
    """`lay_on` and `take_off` say what the AusweisApp would say by itself."""

    def __init__(self, fetch: Fetch, subject: str) -> None:
        super().__init__(Scenario(card=None, subject=subject, slow={"STATUS": READING_SECONDS / 2}))
        self._fetch = fetch
        self._task: Task | None = None

    @property
    def lies(self) -> bool:
        return self._lies

    def lay_on(self, card: FakeCard) -> Words:
        self.card, self._lies = card, True
        yield from self._say(self._reader_said())
        if self._state == "INSERT_CARD":
            self._state = ""
            yield from self._ask_for_number()

    def take_off(self) -> Words:
        self._lies = self._can_was_right = self._pin_was_right = False
        yield from self._say(self._reader_said())
        if self._workflow is not None and self._state.startswith("ENTER_"):
            yield from self._insert_card()

    def _on_run_auth(self, said: dict[str, Any]) -> Words:
        address = str(said.get("tcTokenURL", ""))
        try:
            self._task = self._fetch(address)
        except EidError:
            self._begin("AUTH", said)
            yield from self._say({"msg": "AUTH"})
            yield from self._fail(UNREACHABLE)
            return
        self.scenario = msgspec.structs.replace(
            self.scenario, required=self._task.required, optional=self._task.optional
        )
        # On this computer the token may come unencrypted; the scripted one knows nothing of that.
        yield from super()._on_run_auth(said | {"tcTokenURL": "https://localhost/token"})

    def _insert_card(self) -> Words:
        yield from self._ask({"msg": "INSERT_CARD"})

    def _succeed(self) -> Words:
        yield from self._progress(60)
        yield from self._progress(90)
        if not self._lies:
            yield from self._fail(Fail(reason="Card_Removed"))
            return
        if self._workflow == "AUTH" and self._task is not None:
            self._task.finish(frozenset(self._effective))
        yield from super()._succeed()


class SimulatedAusweisApp(FakeAusweisApp):
    """The websocket on a port of one's own. The last card that was laid on stays the card; `subject` is who asks."""

    def __init__(self, fetch: Fetch, *, port: int, subject: str = "Stadt Musterhausen") -> None:
        super().__init__(strict=False, port=port)
        self._conversation: SimulatedConversation = SimulatedConversation(fetch, subject)
        self._connection: ServerConnection | None = None
        self._turn = asyncio.Lock()

    @property
    def lies(self) -> bool:
        return self._conversation.lies

    async def lay_on(self, card: FakeCard) -> None:
        await self._tell(self._conversation.lay_on(card))

    async def take_off(self) -> None:
        """At once, also in the middle of reading."""
        self._conversation._lies = False
        await self._tell(self._conversation.take_off())

    async def _tell(self, words: Words) -> None:
        if self._connection is None:
            for _ in words:  # nobody listens, and the card comes and goes all the same
                pass
            return
        try:
            await self._utter(self._connection, words)
        except ConnectionClosed:
            self._connection = None

    async def _serve(self, connection: ServerConnection) -> None:
        self._connection = connection
        try:
            await super()._serve(connection)
        finally:
            self._connection = None

    async def _utter(self, connection: ServerConnection, texts: Words) -> bool:
        async with self._turn:
            return await super()._utter(connection, texts)
