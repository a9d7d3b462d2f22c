"""The client: a websocket to an AusweisApp on this computer, and one workflow at a time over it.

    async with SdkClient() as client:
        finished = await client.identify(tc_token_url, ui=screen)

Cancelling the task that waits cancels the workflow, too: CANCEL is sent, and its end waited for, but not for ever.
Nothing is logged, for the texts hold numbers; what is sent is overwritten afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Iterable
from ipaddress import ip_address
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Origin

from servicepunkt.eid.model import Masked
from servicepunkt.eid.sdk.errors import (
    BusyError,
    ConnectionLostError,
    LevelError,
    MessageError,
    RefusedError,
    SdkError,
    SlowError,
    UnreachableError,
)
from servicepunkt.eid.sdk.messages import (
    LEVELS,
    MAX_MESSAGE,
    AnyMessage,
    ApiLevel,
    BadState,
    Command,
    GetApiLevel,
    GetInfo,
    GetReaderList,
    GetStatus,
    Info,
    ReaderList,
    ReaderState,
    SetApiLevel,
    SetCard,
    SetNumber,
    Status,
    Unknown,
    UnknownCommand,
    VersionInfo,
    parse,
    tag_of,
    write,
)
from servicepunkt.eid.sdk.steps import (
    Ask,
    AskNumber,
    AskPosition,
    AskRights,
    End,
    Send,
    Show,
    Step,
)
from servicepunkt.eid.sdk.ui import Ui
from servicepunkt.eid.sdk.workflow import Workflow
from servicepunkt.eid.secret import Secret

URL = "ws://127.0.0.1:24727/eID-Kernel"
_BUSY = (409, 429)  # somebody else uses it; a workflow runs that was begun elsewhere
_TOO_BIG = 1009  # RFC 6455 §7.4.1
_Heard = AnyMessage | Unknown
_AnswerT = TypeVar("_AnswerT", ApiLevel, Info, ReaderList, Status)
_Answer = Iterable[str] | Secret | bool | None


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # an AusweisApp stays where it is


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: to connect, for the answer to a question of ours, for the AusweisApp, the person and the card in a
    workflow, and for its end after CANCEL."""

    connect: float = 10
    answer: float = 10
    app: float = 90
    person: float = 180
    card: float = 180
    cancel: float = 10


class ClientFinished(Masked, frozen=True, kw_only=True):
    """The AusweisApp has done its part, and no more than that is known: whether somebody was identified, and who it
    is, says the eID service alone. `url`: where the service wants to have the person back."""

    url: str


class _Pending(msgspec.Struct):
    command: str
    kind: type[_Heard]
    answer: asyncio.Future[_Heard | SdkError]

    def fits(self, message: _Heard) -> bool:
        return isinstance(message, self.kind) or self.is_rejected_by(message)

    def is_rejected_by(self, message: _Heard) -> bool:
        return isinstance(message, BadState | UnknownCommand) and message.error == self.command


class SdkClient:
    """A connection to one AusweisApp, open within `async with`.

    `url`: unencrypted on this computer only, since numbers travel here. `level`: the API level to speak, the best one
    of both sides if None; it belongs to the whole AusweisApp, so that it is set with each connection. `name`: what
    the AusweisApp calls us when it shows who uses it.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        level: int | None = None,
        origin: str | None = None,
        name: str = "Servicepunkt",
        limits: Limits | None = None,
    ) -> None:
        """Raises ValueError for an address that is neither wss nor on this computer."""
        if not _is_safe(url):
            raise ValueError("an AusweisApp elsewhere needs wss")
        self._url, self._origin, self._name = url, origin, name
        self._limits = limits or Limits()
        self._wanted = LEVELS if level is None else (level,)
        self.level = 0
        self._socket: ClientConnection | None = None
        self._listening: asyncio.Task[None] | None = None
        self._fault: SdkError | None = None
        self._asking = asyncio.Lock()
        self._pending: _Pending | None = None
        self._inbox: _Inbox | None = None

    async def __aenter__(self) -> Self:
        """Raises UnreachableError, BusyError, LevelError, SlowError, ConnectionLostError."""
        self._socket = await self._connect()
        self._fault = None
        self._listening = asyncio.create_task(self._listen(self._socket))
        try:
            await self._agree_on_level()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    # ---- questions ------------------------------------------------------------------------------------------

    async def info(self) -> VersionInfo:
        """Which AusweisApp it is."""
        return (await self._request(GetInfo(), Info)).version_info

    async def status(self) -> Status:
        """Which workflow runs, and how far it is. Raises LevelError at level 1, which does not know it."""
        return await self._request(GetStatus(), Status)

    async def readers(self) -> tuple[ReaderState, ...]:
        """The readers with what lies on them."""
        return (await self._request(GetReaderList(), ReaderList)).found

    # ---- workflows ------------------------------------------------------------------------------------------

    async def identify(
        self, tc_token_url: str, *, ui: Ui, developer_mode: bool = False, card: SetCard | None = None
    ) -> ClientFinished:
        """Lead a person through the online identification.

        `tc_token_url`: where the eID service has the task for the client, https. `card`: the AusweisApp's invented card
        in place of a real one. Raises SdkError's tree: EndedError and its children where the workflow was begun and
        ended without success, with the `url` where the service wants to have the person back.
        """
        workflow = Workflow.identify(tc_token_url, level=self.level, developer_mode=developer_mode, card=card)
        end = await self._lead(workflow, ui)
        assert end.url is not None  # no success without it
        return ClientFinished(url=end.url)

    async def change_pin(self, *, ui: Ui, card: SetCard | None = None) -> None:
        """Lead a person through changing the PIN, or the five digits of the letter into one; to unblock it, too.
        Returns once the PIN was changed. Raises SdkError's tree."""
        await self._lead(Workflow.change_pin(level=self.level, card=card), ui)

    async def _lead(self, workflow: Workflow, ui: Ui) -> End:
        if self._inbox is not None:
            raise BusyError()
        inbox = self._inbox = _Inbox()
        try:
            end = await self._go_through(workflow, ui, inbox)
        finally:
            try:
                await self._stop(workflow, inbox)
            finally:
                self._inbox = None
        if end.error is not None:
            raise end.error
        return end

    async def _go_through(self, workflow: Workflow, ui: Ui, inbox: _Inbox) -> End:
        clock = asyncio.get_running_loop().time
        asked: Ask | None = None
        answer: asyncio.Task[_Answer] | None = None
        steps, deadline = workflow.start(), 0.0
        try:
            while (end := await self._perform(steps, workflow, ui)) is None and not workflow.is_stopping:
                if workflow.pending is not asked:
                    await _withdraw(answer)
                    asked = workflow.pending
                    answer = asyncio.create_task(_put(asked, ui)) if asked else None
                    deadline = clock() + self._limit(workflow)
                elif asked is None:  # somebody's turn of whom something was heard
                    deadline = clock() + self._limit(workflow)
                await inbox.wait(answer, max(0.0, deadline - clock()))
                if answer is not None and answer.done():
                    steps = _answered(workflow, answer.result())
                elif (heard := inbox.take()) is not None:
                    steps = _told(workflow, heard)
                else:
                    steps = workflow.cancel(SlowError(who=workflow.waits_for))
        finally:
            await _withdraw(answer)
        return end or await self._stop(workflow, inbox)

    async def _perform(self, steps: list[Step], workflow: Workflow, ui: Ui) -> End | None:
        for step in steps:
            match step:
                case Send(command):
                    try:
                        await self._send(command)
                    except SdkError as error:
                        steps = workflow.abandon(error)
                        return _end(steps)
                case Show(notice):
                    ui.show(notice)
        return _end(steps)

    async def _stop(self, workflow: Workflow, inbox: _Inbox) -> End:
        """Cancel it, if nothing has yet, and wait for its end; without one, break the connection, which ends it."""
        steps = workflow.cancel()
        try:
            async with asyncio.timeout(self._limits.cancel):
                for step in steps:
                    if isinstance(step, Send):
                        await self._send(step.command)
                while not workflow.is_over:
                    await inbox.wait()
                    if (heard := inbox.take()) is not None:
                        steps = _told(workflow, heard)
        except (TimeoutError, SdkError) as error:
            steps = workflow.abandon(error if isinstance(error, SdkError) else SlowError(who="app"))
            self._break()
        finally:
            if not workflow.is_over:
                self._break()
        return _end(steps) or End()

    def _limit(self, workflow: Workflow) -> float:
        return {"app": self._limits.app, "person": self._limits.person, "card": self._limits.card}[workflow.waits_for]

    # ---- the websocket --------------------------------------------------------------------------------------

    async def _connect(self) -> ClientConnection:
        quiet = logging.Logger("servicepunkt.eid.sdk")  # at DEBUG, websockets would write every PIN into the log
        quiet.disabled = True
        try:
            return await _Connect(
                self._url,
                origin=None if self._origin is None else Origin(self._origin),
                user_agent_header=self._name,
                compression=None,
                proxy=None,
                open_timeout=self._limits.connect,
                close_timeout=self._limits.answer,
                ping_interval=None,
                max_size=MAX_MESSAGE,
                logger=quiet,
            )
        except (OSError, InvalidHandshake, TimeoutError) as error:
            status = _status(error)
            if status in _BUSY:
                raise BusyError(status=status) from None
            raise UnreachableError(**({"status": status} if status else {})) from None

    async def _agree_on_level(self) -> None:
        available = (await self._request(GetApiLevel(), ApiLevel)).available
        level = next((level for level in self._wanted if level in available and level in LEVELS), None)
        if level is None:
            raise LevelError(available=" ".join(map(str, available[:8])))
        said = await self._request(SetApiLevel(level=level), ApiLevel)
        if said.error is not None or said.current != level:
            raise LevelError(level=level)
        self.level = level

    async def _request(self, command: Command, kind: type[_AnswerT]) -> _AnswerT:
        if self.level and command.since > self.level:
            raise LevelError(level=self.level)
        async with self._asking:
            answer: asyncio.Future[_Heard | SdkError] = asyncio.get_running_loop().create_future()
            self._pending = _Pending(tag_of(command), kind, answer)
            try:
                async with asyncio.timeout(self._limits.answer):
                    await self._send(command)
                    said = await answer
            except TimeoutError:
                raise SlowError(who="app") from None
            finally:
                self._pending = None
        if isinstance(said, SdkError):
            raise said
        if not isinstance(said, kind):
            raise RefusedError(command=tag_of(command))
        return said

    async def _send(self, command: Command) -> None:
        text = write(command)
        try:
            if self._socket is None or self._fault is not None:
                raise self._fault or ConnectionLostError()
            await self._socket.send(text, text=True)
        except ConnectionClosed:
            raise ConnectionLostError() from None
        finally:
            text[:] = bytes(len(text))
            if isinstance(command, SetNumber) and command.value is not None:
                command.value.wipe()

    async def _listen(self, socket: ClientConnection) -> None:
        while self._fault is None:
            try:
                self._deliver(parse(await socket.recv(decode=False)))
            except MessageError as error:
                self._deliver(error)
            except ConnectionClosed as error:
                if error.sent is not None and error.sent.code == _TOO_BIG:
                    self._deliver(MessageError(why="too long"))
                self._fault = ConnectionLostError()
                self._deliver(self._fault)

    def _deliver(self, heard: _Heard | SdkError) -> None:
        pending = self._pending
        if pending and not pending.answer.done() and (isinstance(heard, SdkError) or pending.fits(heard)):
            pending.answer.set_result(heard)
            if not isinstance(heard, SdkError) and pending.is_rejected_by(heard):
                return
        if self._inbox is not None:
            self._inbox.put(heard)

    def _break(self) -> None:
        self._fault = self._fault or ConnectionLostError()
        if self._socket is not None:
            self._socket.transport.abort()

    async def _close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        self._fault = self._fault or ConnectionLostError()
        self._deliver(self._fault)  # whoever still waits waits for nothing
        if self._socket is not None:
            await self._socket.close()
        self._socket, self._listening, self.level = None, None, 0


class _Inbox:
    """What was heard during a workflow and is not dealt with yet."""

    def __init__(self) -> None:
        self._heard: deque[_Heard | SdkError] = deque()
        self._news = asyncio.Event()

    def put(self, heard: _Heard | SdkError) -> None:
        self._heard.append(heard)
        self._news.set()

    def take(self) -> _Heard | SdkError | None:
        heard = self._heard.popleft() if self._heard else None
        if not self._heard:
            self._news.clear()
        return heard

    async def wait(self, other: asyncio.Task[_Answer] | None = None, seconds: float | None = None) -> None:
        """Until something was heard, the other task is done, or the time is over."""
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({news, other} if other else {news}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()


def _end(steps: list[Step]) -> End | None:
    return next((step for step in steps if isinstance(step, End)), None)


async def _put(ask: Ask, ui: Ui) -> _Answer:
    match ask:
        case AskRights(request):
            return await ui.confirm_rights(request)
        case AskNumber(question):
            return await ui.ask_secret(question)
        case AskPosition(cause):
            return await ui.ask_position(cause)


def _answered(workflow: Workflow, answer: _Answer) -> list[Step]:
    match answer:
        case None | False:
            return workflow.cancel()
        case True:
            return workflow.proceed()
        case Secret():
            return workflow.enter(answer)
        case _:
            return workflow.agree(answer)


def _told(workflow: Workflow, heard: _Heard | SdkError) -> list[Step]:
    match heard:
        case MessageError():
            return workflow.cancel(heard)
        case SdkError():
            return workflow.abandon(heard)
        case _:
            return workflow.receive(heard)


async def _withdraw(answer: asyncio.Task[_Answer] | None) -> None:
    """Nobody waits for it any more; a number that came all the same is wiped."""
    if answer is None:
        return
    answer.cancel()
    await asyncio.wait({answer})
    if not answer.cancelled() and answer.exception() is None:
        late = answer.result()
        if isinstance(late, Secret):
            late.wipe()


def _status(error: Exception) -> int | None:
    """The HTTP status of a refusal. AusweisApp2 1.26 refuses in HTTP/1.0, which websockets only repeats."""
    if isinstance(error, InvalidStatus):
        return error.response.status_code
    found = re.search(r"HTTP/1\.0 (\d{3})\b", str(error.__cause__))
    return int(found[1]) if found else None


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "wss":
        return True
    if parts.scheme != "ws" or not parts.hostname:
        return False
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
