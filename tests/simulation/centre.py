"""The centre as a box sees it: commands in their order, entries taken in once, messages sent once for each code.

It keeps what a centre has to keep (a copy of the journal, a mirror by the words of the entries), and none of the
product's rules: what the box says is written down, the invariants judge it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.vault import HPKE, seal_to

VALID_SECONDS = 90
LONG_POLL = 3600.0  # stretched: a real centre answers after 20 seconds, and the box asks again
OPENING = ("open_for_load", "recall")


class Mirror(msgspec.Struct):
    """What staff read about a deposit."""

    state: str = "announced"
    compartment: int | None = None
    version: int = 0
    alert: str = ""
    changed_at: float = 0.0


class Message(msgspec.Struct):
    """A message with a code on its way to a telephone."""

    deposit: str
    version: int
    phone: str
    sealed: bytes
    superseded: bool = False


class Ordered(msgspec.Struct):
    """A command, and when it was given, in true seconds."""

    command: wire.Command
    at: float


class Centre:
    """`delivered` is told of each message that reaches a telephone; `disagreed` of a history that does not follow."""

    def __init__(
        self,
        config: wire.BoxConfig,
        worker: X25519PrivateKey,
        chance: random.Random,
        *,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
        spawn: Callable[..., object],
    ) -> None:
        self._config = msgspec.json.encode(config)
        self.config = config
        self._signing = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        self._worker, self._chance = worker, chance
        self._now, self._seconds, self._spawn = now, seconds, spawn
        self.commands: list[Ordered] = []
        self.hashes: list[str] = []  # of the entries that were taken in, in order
        self.mirror: dict[str, Mirror] = {}
        self.phones: dict[str, str] = {}
        self.out: set[int] = set()
        self.public_key = b""
        self.message_fails = 0.0
        self.message_takes = 20.0
        self.answered = 0  # the last command that the box has dealt with
        self.delivered: Callable[[Message, str], None] = lambda message, code: None
        self.disagreed: Callable[[str], None] = lambda why: None
        self.taken_in: Callable[[dict[str, Any], bytes], None] = lambda entry, sealed: None
        self._messages: dict[str, Message] = {}
        self._news = asyncio.Event()

    # ---- what staff do -----------------------------------------------------------------------------------

    def order(self, kind: wire.CommandKind, deposit: str = "", **fields: Any) -> int:
        """Queue a command; its sequence."""
        until = self._now() + timedelta(seconds=VALID_SECONDS) if kind in OPENING else None
        seq = len(self.commands) + 1
        command = wire.Command(seq=seq, kind=kind, deposit=deposit, actor="clerk", valid_until=until, **fields)
        self.commands.append(Ordered(command, self._seconds()))
        self._news.set()
        return seq

    def announce(self, deposit: str, kind: str, phone: str) -> None:
        """A document shall go into the box."""
        self.mirror[deposit] = Mirror(changed_at=self._seconds())
        self.phones[deposit] = phone
        context = wire.person_context(self.config.tenant, self.config.box, deposit)
        sealed = seal_to(self.public_key, msgspec.json.encode({"phone": phone}), context=context).hex()
        self.order("reserve", deposit, document=kind, sealed=sealed)

    # ---- what the box asks -------------------------------------------------------------------------------

    async def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """What the centre says, signed by it."""
        purpose = path.rpartition("/")[2]
        status, sent, content = await self._answer(purpose, query, headers, body)
        nonce = headers.get("servicepunkt-nonce", "")
        said = f"dokbox-{purpose}/2|{self.config.tenant}|{self.config.box}|{nonce}|".encode() + content
        return status, {**sent, wire.SIGNATURE: self._signing.sign(said).hex()}, content

    async def _answer(
        self, purpose: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        match purpose:
            case "keys":
                key = self._signing.public_key().public_bytes_raw().hex()
                return (
                    200,
                    {},
                    msgspec.json.encode({"tenant": self.config.tenant, "box": self.config.box, "signing_key": key}),
                )
            case "condition":
                return 204, {}, b""
            case "config":
                same = headers.get("if-none-match") == '"1"'
                return (304, {}, b"") if same else (200, {"etag": '"1"'}, self._config)
            case "commands":
                return 200, {}, await self._hand_out(int(query["after"]), waits=query["wait"] != "0")
            case "events":
                return self._take_in(msgspec.json.decode(body)["events"])
            case _:
                return 404, {}, b""

    async def _hand_out(self, after: int, *, waits: bool) -> bytes:
        if waits and after >= len(self.commands):
            self._news.clear()
            waiting = asyncio.ensure_future(self._news.wait())
            await asyncio.wait([waiting], timeout=LONG_POLL)
            waiting.cancel()
        commands = [ordered.command for ordered in self.commands[after : after + wire.MAX_COMMANDS]]
        return msgspec.json.encode(wire.Commands(commands=commands, now=self._now()))

    def _take_in(self, events: list[dict[str, Any]]) -> tuple[int, dict[str, str], bytes]:
        for sent in events:
            entry = sent["entry"]
            seq = entry["seq"]
            if seq <= len(self.hashes):
                if self.hashes[seq - 1] != entry["hash"]:
                    self.disagreed(f"entry {seq} is another one than before")
                    return 409, {}, b""
                continue
            if seq != len(self.hashes) + 1 or (self.hashes and entry.get("previous") != self.hashes[-1]):
                self.disagreed(f"entry {seq} does not follow {len(self.hashes)}")
                return 409, {}, b""
            self.hashes.append(entry["hash"])
            sealed = bytes.fromhex(sent.get("sealed", ""))
            self.taken_in(entry, sealed)
            self._reflect(entry, sealed)
        return 200, {}, msgspec.json.encode({"seq": len(self.hashes), "head": (self.hashes or ["0" * 64])[-1]})

    def _reflect(self, entry: dict[str, Any], sealed: bytes) -> None:
        data, event = entry.get("data", {}), entry["event"]
        self.answered = max(self.answered, int(data.get("command") or 0))
        if event == "compartment_out":
            self.out.add(entry["compartment"])
        elif event == "compartment_in":
            self.out.discard(entry["compartment"])
        mirror = self.mirror.get(entry.get("deposit", ""))
        if mirror is None:
            return
        mirror.changed_at = self._seconds()
        mirror.alert = event if event in ("not_opened", "notice_failed", "closed_empty", "left_open") else ""
        if event == "command_declined":
            mirror.state = "refused" if data.get("kind") == "reserve" else mirror.state
        if entry.get("state"):
            mirror.state, mirror.compartment = entry["state"], entry.get("compartment")
        if "version" in data and sealed:
            mirror.version = int(data["version"])
            self._send(entry["deposit"], mirror.version, sealed)

    # ---- messages ----------------------------------------------------------------------------------------

    def _send(self, deposit: str, version: int, sealed: bytes) -> None:
        if deposit in self._messages:
            self._messages[deposit].superseded = True
        message = Message(deposit, version, self.phones[deposit], sealed)
        self._messages[deposit] = message
        self._spawn(self._deliver(message))

    async def _deliver(self, message: Message) -> None:
        await asyncio.sleep(self._chance.uniform(1.0, self.message_takes))
        if message.superseded or self.mirror[message.deposit].state in ("done", "returned", "missing", "cancelled"):
            return
        failed = self._chance.random() < self.message_fails
        if not failed:
            self.delivered(message, self.code_of(message.deposit, message.version, message.sealed))
        self.order("notice_failed" if failed else "notice_accepted", message.deposit, version=message.version)

    def code_of(self, deposit: str, version: int, sealed: bytes) -> str:
        """What the worker reads in a sealed message."""
        context = wire.code_context(self.config.tenant, self.config.box, deposit, version)
        opened = HPKE.decrypt(sealed, self._worker, info=context.encode())
        return str(msgspec.json.decode(bytes(opened))["code"])
