"""The one reader of this computer: whose turn it is, what becomes of a visit, and when it is over.

However a visit ends, the AusweisApp is told CANCEL and its end waited for, what was shown is forgotten, and the centre
hears of an identification that did not succeed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from datetime import date

import msgspec
import structlog

from servicepunkt.eid import wire
from servicepunkt.eid.console import Practice
from servicepunkt.eid.controller.errors import (
    CardStaysAwayError,
    LeftError,
    ReaderInUseError,
    VisitOverError,
)
from servicepunkt.eid.controller.model import TAKE_SECONDS, Due, Event, Kind
from servicepunkt.eid.controller.practice import PracticeReader
from servicepunkt.eid.controller.visit import Visit
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.sdk.client import SdkClient
from servicepunkt.eid.sdk.errors import GivenUpError, SdkError
from servicepunkt.eid.sdk.messages import Card, ReaderState

log = structlog.get_logger("servicepunkt.eid")
#: Seconds between two looks: at the visit, at the card, and at the AusweisApp while nobody is here.
VISIT_SECONDS, CARD_SECONDS, APP_SECONDS = 1.0, 0.5, 10.0
#: How long the end of the program waits for the centre.
TELL_SECONDS = 3.0
_DUE: dict[Due, type[EidError]] = {Due.LEFT: LeftError, Due.CARD_STAYS_AWAY: CardStaysAwayError}
Tell = Callable[[wire.Ended], Coroutine[None, None, None]]


class Seen(msgspec.Struct, frozen=True):
    """Whether the AusweisApp answers, and has a reader."""

    app: bool = False
    reader: bool = False


class Desk:
    """`connect` makes a client of the AusweisApp, `tell` tells the centre how it ended, `practice` makes a card."""

    def __init__(
        self,
        *,
        connect: Callable[[], SdkClient],
        tell: Tell,
        clock: Callable[[], float],
        today: Callable[[], date],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        practice: Callable[[], Practice] = Practice,
    ) -> None:
        self._connect, self._tell, self._practice = connect, tell, practice
        self._clock, self._today, self._sleep = clock, today, sleep
        self._app = asyncio.Lock()
        self._visit: Visit | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._reader: PracticeReader | None = None
        self.seen = Seen()

    # ---- the person -----------------------------------------------------------------------------------------

    def require_free(self, name: str) -> None:
        """Raises ReaderInUseError while somebody else is here."""
        visit = self._visit
        if visit is not None and visit.name != name and not (visit.is_over or visit.is_deserted):
            raise ReaderInUseError()

    def begin(self, kind: Kind, *, before: str = "", claimed: wire.Claimed | None = None, back: str = "") -> Visit:
        """A visit, in place of the one of the name `before`. Raises ReaderInUseError."""
        self.require_free(before)
        if self._visit is not None:
            self._close(self._visit)
        visit = Visit(kind, name=secrets.token_hex(16), clock=self._clock, claimed=claimed, back=back)
        self._visit = visit
        self._task = asyncio.create_task(self._lead(visit, frozenset(self._closing)))
        return visit

    def of(self, name: str) -> Visit:
        """The visit of this name. Raises VisitOverError."""
        if self._visit is None or self._visit.name != name:
            raise VisitOverError()
        return self._visit

    def leave(self, name: str) -> None:
        """The person goes. What has to be waited for is waited for without the person."""
        if self._visit is not None and self._visit.name == name:
            self._close(self._visit)

    def lay(self, visit: Visit, *, taken: bool) -> None:
        """The card of the practice is laid on or taken away."""
        if visit.kind is Kind.PRACTICE and visit is self._visit and self._reader is not None:
            (self._reader.take if taken else self._reader.lay)()

    def _close(self, visit: Visit) -> None:
        """Forget the visit; its end goes on behind it."""
        task, self._visit, self._task = self._task, None, None
        visit.forget()
        if task is not None and not task.done():
            task.cancel()
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    # ---- the work -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch over visits, and whether the AusweisApp is there, until cancelled; then end in order."""
        looked = -APP_SECONDS
        try:
            while True:
                self.watch()
                if self._visit is None and self._clock() - looked >= APP_SECONDS:
                    self.seen, looked = await self._look(), self._clock()
                await self._sleep(VISIT_SECONDS)
        finally:
            if self._visit is not None:
                self._close(self._visit)
            if self._closing:
                await asyncio.wait(self._closing)
            if self._telling:
                await asyncio.wait(self._telling, timeout=TELL_SECONDS)

    def watch(self) -> None:
        """End a visit whose time is up."""
        visit = self._visit
        if visit is None or (why := visit.due()) is None:
            return
        log.info("visit_ended", why=str(why))
        if visit.is_over or why is Due.LEFT:
            self._close(visit)
        elif self._task is not None:
            visit.error = _DUE[why]()
            self._task.cancel()

    async def _lead(self, visit: Visit, before: frozenset[asyncio.Task[None]]) -> None:
        succeeded = False
        try:
            if before:
                await asyncio.wait(before)
            async with self._app:
                await self._work(visit)
            succeeded = True
        except EidError as error:
            log.info("visit_failed", code=error.code)
            visit.fail(error)
        except asyncio.CancelledError:
            visit.fail(LeftError())  # where there is a reason already, that stays
            if visit is not self._visit:
                raise
        finally:
            if not succeeded:
                visit.fail(EidError())
                self._tell_of(visit)

    def _tell_of(self, visit: Visit) -> None:
        """Beside everything else: whoever comes next does not wait for the centre."""
        if visit.claimed is None:
            return
        given_up = isinstance(visit.error, GivenUpError | LeftError)
        ended = wire.Ended(key=visit.claimed.key, outcome="cancelled" if given_up else "refused")
        telling = asyncio.create_task(self._tell(ended))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _work(self, visit: Visit) -> None:
        """Raises EidError."""
        if visit.kind is Kind.PRACTICE:
            await self._practise(visit)
            return
        async with self._connect() as client:
            self.seen = Seen(app=True, reader=bool(await _readers(client)))
            try:
                await self._with(client, visit)
            except SdkError:
                visit.lies = await _card(client) is not None
                raise

    async def _with(self, client: SdkClient, visit: Visit) -> None:
        if visit.kind is Kind.CHECK:
            visit.happens(Event.INSERT_CARD)
            while (card := await _card(client)) is None or (card.is_known and card.tries is None):
                await self._sleep(CARD_SECONDS)
            visit.card, visit.lies = card, True
            visit.happens(Event.KNOWN)
            return
        visit.card = await _card(client)
        if visit.kind is Kind.IDENTIFY:
            assert visit.claimed is not None
            await client.identify(visit.claimed.tc_token_url, ui=visit)
        else:
            await client.change_pin(ui=visit)
        await self._until_taken(client, visit)

    async def _until_taken(self, client: SdkClient, visit: Visit) -> None:
        """It has worked: wait for the card to be taken, but not for ever."""
        until = self._clock() + TAKE_SECONDS
        while await _card(client) is not None and self._clock() < until:
            visit.happens(Event.WORKED)
            await self._sleep(CARD_SECONDS)
        visit.happens(Event.SUCCEEDED)

    async def _practise(self, visit: Visit) -> None:
        reader = self._reader = PracticeReader(await asyncio.to_thread(self._practice))
        try:
            found, of_age = await reader.identify(visit, today=self._today())
        finally:
            self._reader = None
        shown = {name: str(getattr(found, name)) for name in found.held()}
        if of_age is not None:
            shown["of_age"] = "Yes" if of_age else "No"
        visit.found = tuple(shown.items())
        visit.happens(Event.SUCCEEDED)

    async def _look(self) -> Seen:
        async with self._app:
            try:
                async with self._connect() as client:
                    return Seen(app=True, reader=bool(await _readers(client)))
            except SdkError:
                return Seen()


async def _readers(client: SdkClient) -> list[ReaderState]:
    """The real ones: into a simulator nobody lays a card."""
    try:
        return [reader for reader in await client.readers() if reader.attached and not reader.insertable]
    except SdkError:
        return []


async def _card(client: SdkClient) -> Card | None:
    """What lies on a reader."""
    return next((reader.card for reader in await _readers(client) if reader.card is not None), None)
