"""The link to the centre: events up, commands and configuration down. The box works on when there is nobody there.

All calls go out from the box. Events are sent again until the centre has them; it takes each once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import httpx
import msgspec
import structlog

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.controller.channel import FORKED, Channel, ForkedError, RefusedByCentreError, RevokedError
from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.errors import DiskError, DokboxError, VaultError
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.vault import RemoteVault
from servicepunkt.dokbox.vault.model import VaultKind

log = structlog.get_logger("servicepunkt.dokbox")

WAIT_SECONDS = 20
CONFIG_SECONDS, PEPPER_SECONDS, CONDITION_SECONDS = 20.0, 5.0, 5.0
RETRY_FIRST, RETRY_LONGEST = 0.5, 15.0
# What was sealed for the worker is kept for a while after the centre has it: a centre that was restored asks again.
ENVELOPE_LIFE, FORGET_SECONDS = timedelta(days=1), 3600.0


class Link:
    """Loops over one HTTP client; each tries again with growing pauses."""

    def __init__(
        self,
        controller: Controller,
        journal: Journal,
        client: httpx.AsyncClient,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._controller = controller
        self._journal = journal
        self._channel = Channel(client, journal, controller.vault, randomness=randomness)
        self._sleep = sleep
        self._told: tuple[VaultKind, tuple[wire.Trouble, ...]] | None = None
        self._etag = ""
        self._again = 0
        self.connected = False

    async def run(self) -> None:
        """Keep the link until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._for_ever(self.fetch_config, pause=CONFIG_SECONDS))
            tasks.create_task(self._for_ever(self.pull_commands, pause=0.0))
            tasks.create_task(self._for_ever(self._send_when_changed, pause=0.0))
            tasks.create_task(self._for_ever(self.fetch_peppers, pause=PEPPER_SECONDS))
            tasks.create_task(self._for_ever(self.tell_condition, pause=CONDITION_SECONDS))
            tasks.create_task(self._forget_for_ever())

    async def _for_ever(self, step: Callable[[], Awaitable[None]], *, pause: float) -> None:
        retry = RETRY_FIRST
        while True:
            try:
                await step()
            except RevokedError as error:
                self._lost(error)
                self._controller.switch(off=True)
                await self._sleep(RETRY_LONGEST)
            except DiskError:  # nothing of the centre's making; how the box is, is still told
                await self._sleep(RETRY_LONGEST)
            except (httpx.HTTPError, RefusedByCentreError, msgspec.DecodeError, DokboxError) as error:
                self._lost(error)
                await self._sleep(retry)
                retry = min(retry * 2, RETRY_LONGEST)
            else:
                if not self.connected:
                    self.found()
                self.connected, retry = True, RETRY_FIRST
                await self._sleep(pause)

    async def _forget_for_ever(self) -> None:
        """Beside the calls to the centre: whether it answers is no matter here."""
        while True:
            with suppress(DiskError):
                await self.forget_delivered()
            await self._sleep(FORGET_SECONDS)

    def found(self) -> None:
        """After an outage the newest entry goes out once more: a centre that was restored then says what it lacks."""
        log.info("centre_found")
        self._again = 1
        self._controller.changed.set()

    def _lost(self, error: Exception) -> None:
        if self.connected:
            log.warning("centre_lost", reason=type(error).__name__)
        self.connected = False

    async def fetch_config(self) -> None:
        """Take over the configuration when it has changed."""
        headers = {"if-none-match": self._etag} if self._etag else {}
        answer = await self._channel.get("config", headers=headers)
        if answer.status_code == 304:
            return
        self._controller.configure(msgspec.json.decode(answer.content, type=wire.BoxConfig))
        self._etag = answer.headers.get("etag", "")

    async def pull_commands(self) -> None:
        """Wait for commands and carry them out in their order; with keys that are not the box's own it takes none."""
        if self._controller.peppers.foreign:
            raise VaultError(reason="these are not the keys of this journal")
        if not self._controller.vault.ready:
            await self.fetch_peppers()
        after = self._controller.ledger.box.command
        handed = await self._commands(after, wait=WAIT_SECONDS)
        if self._controller.config is None:
            await self.fetch_config()
        self._controller.switch(off=False)
        for command in handed.commands:
            await self._controller.handle(command, centre_time=handed.now)

    async def _commands(self, after: int, *, wait: int) -> wire.Commands:
        answer = await self._channel.get("commands", params={"after": after, "wait": wait}, timeout=wait + 10)
        return msgspec.json.decode(answer.content, type=wire.Commands)

    async def _send_when_changed(self) -> None:
        self._controller.changed.clear()
        if not await self.push_events():
            await self._controller.changed.wait()

    async def push_events(self) -> bool:
        """Send the next entries that the centre does not have; False when there are none."""
        acknowledged = int(self._journal.meta("acknowledged") or b"0")
        events = [
            wire.SentEntry(entry=entry, sealed=(self._journal.envelope(entry.seq) or b"").hex())
            for entry in self._journal.entries(after=acknowledged - self._again, limit=wire.MAX_EVENTS)
        ]
        if not events:
            return False
        try:
            answer = await self._channel.post("events", wire.Events(events=events))
        except ForkedError:
            self._controller.distrust()
            raise
        known = msgspec.json.decode(answer.content, type=wire.Acknowledged)
        if not self._is_ours(known.seq, known.head):
            # The centre has more of this box's history than the box itself, or another one: the disk was set back.
            self._controller.distrust()
            raise ForkedError(FORKED)
        self._again = 0
        with self._journal.transaction():
            self._journal.put_meta("acknowledged", str(known.seq).encode())
        return True

    async def forget_delivered(self) -> None:
        """Erase what the worker has had for a while."""
        acknowledged = int(self._journal.meta("acknowledged") or b"0")
        with self._journal.transaction():
            self._journal.drop_envelopes(up_to=acknowledged, before=self._controller.ledger.now() - ENVELOPE_LIFE)

    async def fetch_peppers(self) -> None:
        """Where the centre keeps them: fetch the peppers after a start, have one made, let go what no code needs."""
        vault = self._controller.vault
        if not isinstance(vault, RemoteVault) or (vault.ready and not vault.wanted and not vault.outdated):
            return
        box = self._controller.ledger.box
        keep = tuple(sorted(vault.kids)) if vault.ready else None
        wanted = wire.PepperRequest(seq=box.seq, head=box.head, keep=keep, make=vault.wanted or None)
        try:
            answer = await self._channel.post("peppers", wanted)
        except ForkedError:
            self._controller.distrust()
            raise
        delivered = msgspec.json.decode(answer.content, type=wire.SealedPeppers)
        if not self._is_ours(delivered.acknowledged, delivered.head):
            self._controller.distrust()
            raise ForkedError(FORKED)
        opened = msgspec.json.decode(
            vault.unseal(bytes.fromhex(delivered.sealed), context=self._channel.pepper_context)
        )
        peppers = msgspec.convert(opened, wire.Peppers)
        vault.deliver(
            bytes.fromhex(peppers.locator_key), {kid: bytes.fromhex(key) for kid, key in peppers.peppers.items()}
        )
        await self._controller.peppers_arrived()

    def _is_ours(self, seq: int, head: str) -> bool:
        """Whether the journal holds what the centre saw of it: one that was set back gets no code tried."""
        if seq == 0:
            return True
        found = next(self._journal.entries(after=seq - 1, limit=1), None)
        return found is not None and found.hash == head

    async def tell_condition(self) -> None:
        """Tell staff how the box is, also when its disk takes no entry any more."""
        present = (self._controller.vault.kind, self._controller.troubles)
        if present != self._told:
            vault, troubles = present
            heard = (await self._commands(self._controller.ledger.box.command, wait=0)).now
            await self._channel.post("condition", wire.Condition(vault=vault, troubles=troubles, heard=heard))
            self._told = present
