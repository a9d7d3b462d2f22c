"""The link to the centre: events up, commands and configuration down. The box works on when there is nobody there.

All calls go out from the box. Events are sent again until the centre has them; it takes each once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import msgspec
import structlog

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.journal import Journal

log = structlog.get_logger("servicepunkt.dokbox")

WAIT_SECONDS = 20
FORKED = 409
CONFIG_SECONDS = 20.0
RETRY_FIRST, RETRY_LONGEST = 0.5, 15.0


class RefusedByCentreError(Exception):
    """The centre answered, but not with what was asked for; `status` says how."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the centre answered {status}")


class Link:
    """Three loops over one HTTP client; each tries again with growing pauses."""

    def __init__(
        self,
        controller: Controller,
        journal: Journal,
        client: httpx.AsyncClient,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._controller = controller
        self._journal = journal
        self._client = client
        self._sleep = sleep
        self._etag = ""
        self.connected = False

    async def run(self) -> None:
        """Keep the link until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._for_ever(self.fetch_config, pause=CONFIG_SECONDS))
            tasks.create_task(self._for_ever(self.pull_commands, pause=0.0))
            tasks.create_task(self._for_ever(self._send_when_changed, pause=0.0))

    async def _for_ever(self, step: Callable[[], Awaitable[None]], *, pause: float) -> None:
        retry = RETRY_FIRST
        while True:
            try:
                await step()
            except (httpx.HTTPError, RefusedByCentreError, msgspec.DecodeError) as error:
                if self.connected:
                    log.warning("centre_lost", reason=type(error).__name__)
                self.connected = False
                await self._sleep(retry)
                retry = min(retry * 2, RETRY_LONGEST)
            else:
                if not self.connected:
                    log.info("centre_found")
                self.connected, retry = True, RETRY_FIRST
                await self._sleep(pause)

    async def fetch_config(self) -> None:
        """Take over the configuration when it has changed."""
        headers = {"if-none-match": self._etag} if self._etag else {}
        answer = await self._client.get("/api/v1/box/config", headers=headers)
        if answer.status_code == 304:
            return
        self._check(answer)
        self._controller.configure(msgspec.json.decode(answer.content, type=wire.BoxConfig))
        self._etag = answer.headers.get("etag", "")

    async def pull_commands(self) -> None:
        """Wait for commands and carry them out in their order."""
        after = self._controller.ledger.box.command
        answer = await self._client.get(
            "/api/v1/box/commands", params={"after": after, "wait": WAIT_SECONDS}, timeout=WAIT_SECONDS + 10
        )
        self._check(answer)
        if self._controller.config is None:
            await self.fetch_config()
        handed = msgspec.json.decode(answer.content, type=wire.Commands)
        for command in handed.commands:
            await self._controller.handle(command, centre_time=handed.now)

    async def _send_when_changed(self) -> None:
        self._controller.changed.clear()
        if not await self.push_events():
            await self._controller.changed.wait()

    async def push_events(self) -> bool:
        """Send the next entries that the centre does not have; False when there are none."""
        acknowledged = int(self._journal.meta("acknowledged") or b"0")
        events = [
            wire.SentEntry(entry=entry, sealed=(self._journal.envelope(entry.seq) or b"").hex())
            for entry in self._journal.entries(after=acknowledged, limit=wire.MAX_EVENTS)
        ]
        if not events:
            return False
        body = msgspec.json.encode(wire.Events(events=events))
        answer = await self._client.post(
            "/api/v1/box/events", content=body, headers={"content-type": "application/json"}
        )
        if answer.status_code == FORKED:
            self._controller.distrust()
        self._check(answer)
        seq = msgspec.json.decode(answer.content, type=wire.Acknowledged).seq
        if seq > events[-1].entry.seq:
            # The centre has more of this box's history than the box itself: the disk was set back.
            self._controller.distrust()
            raise RefusedByCentreError(FORKED)
        with self._journal.transaction():
            self._journal.put_meta("acknowledged", str(seq).encode())
            # The worker has what was sealed for it; here it would only wait to be stolen.
            self._journal.drop_envelopes(up_to=seq)
        return True

    @staticmethod
    def _check(answer: httpx.Response) -> None:
        if answer.status_code != 200:
            raise RefusedByCentreError(answer.status_code)
