"""The centre as a box sees it: commands in their order, entries taken in once, messages sent once for each code.

It keeps what a centre has to keep (a copy of the journal, a mirror by the words of the entries), and none of the
product's rules: what the box says is written down, the invariants judge it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.vault import HPKE, seal_to

from .truth import Told

VALID_SECONDS = 90
FRESH_TAKES = 30.0
SUNDAY = 6
LONG_POLL = 3600.0  # stretched: a real centre answers after 20 seconds, and the box asks again
SHORT = ("open_for_load", "recall", "attest")
CORRECTABLE = frozenset(
    {"reserved", "loading", "stored", "notified", "presented", "locked_out", "expired"},
)
UNCLEAR = "old_document_unclear"


class Mirror(msgspec.Struct):
    """What staff read about a deposit."""

    state: str = "announced"
    compartment: int | None = None
    version: int = 0
    alert: str = ""
    changed_at: float = 0.0
    until: date | None = None  # the last day that the citizen was told of
    unclear: bool = False  # somebody should look into the slot for its old document


class Message(msgspec.Struct):
    """A message with a code on its way to a telephone; a fresh one is for somebody who stands at the box."""

    deposit: str
    version: int
    phone: str
    sealed: bytes
    fresh: bool = False
    until: date | None = None
    superseded: bool = False


class Ordered(msgspec.Struct):
    """A command, and when it was given, in true seconds. `told` is what its sealed part says."""

    command: wire.Command
    at: float
    told: Told = Told()


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
        self.config = config
        self.configs = [config]  # all that a box was ever given
        self.promises = False
        self._signing = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        self._worker, self._chance = worker, chance
        self._now, self._seconds, self._spawn = now, seconds, spawn
        self.commands: list[Ordered] = []
        self.hashes: list[str] = []  # of the entries that were taken in, in order
        self.mirror: dict[str, Mirror] = {}
        self.kinds: dict[str, str] = {}
        self.told: dict[str, Told] = {}  # who collects
        self._corrections: dict[str, tuple[int, Told]] = {}  # that the box has not answered, with their commands
        self._watched: dict[str, list[tuple[tuple[str, ...], asyncio.Future[str]]]] = {}
        self.out: set[int] = set()
        self.public_key = b""
        self.message_fails = 0.0
        self.message_takes = 20.0
        self.answered = 0  # the last command that the box has dealt with
        self.delivered: Callable[[Message, dict[str, str]], None] = lambda message, values: None
        self.called: Callable[[str, int], object] = lambda deposit, call: None
        self.disagreed: Callable[[str], None] = lambda why: None
        self.taken_in: Callable[[dict[str, Any], bytes], None] = lambda entry, sealed: None
        self._messages: dict[str, Message] = {}
        self._news = asyncio.Event()

    def configure(self, policies: tuple[Any, ...]) -> None:
        """The tenant file says something else of the kinds."""
        self.config = msgspec.structs.replace(self.config, policies=policies)
        self.configs.append(self.config)

    def policy(self, kind: str) -> Any:
        """What the tenant file says of a kind, None where it does not name it."""
        return next((policy for policy in self.config.policies if policy.type == kind), None)

    def names(self, kind: str, *, since: int) -> bool:
        """Whether every tenant file from the `since`th on names a kind."""
        # One before: the box may have had that one still when it was told of the next.
        return all(kind in {policy.type for policy in config.policies} for config in self.configs[max(0, since - 2) :])

    # ---- what staff do -----------------------------------------------------------------------------------

    def order(
        self,
        kind: wire.CommandKind,
        deposit: str = "",
        *,
        actor: str = "clerk",
        told: Told | None = None,
        **fields: Any,
    ) -> int:
        """Queue a command; its sequence."""
        until = self._now() + timedelta(seconds=VALID_SECONDS) if kind in SHORT else None
        seq = len(self.commands) + 1
        command = wire.Command(seq=seq, kind=kind, deposit=deposit, actor=actor, valid_until=until, **fields)
        self.commands.append(Ordered(command, self._seconds(), told or Told()))
        self._news.set()
        return seq

    def announce(self, deposit: str, kind: str, told: Told, *, actor: str) -> None:
        """A document shall go into the box."""
        self.mirror[deposit] = Mirror(changed_at=self._seconds())
        self.kinds[deposit], self.told[deposit] = kind, told
        self.order("reserve", deposit, actor=actor, told=told, document=kind, sealed=self._sealed(deposit, told))

    def correct(self, deposit: str, told: Told) -> bool:
        """Somebody else collects it; whether that can be ordered now."""
        if deposit in self._corrections or self.mirror[deposit].state not in CORRECTABLE:
            return False
        if deposit in self._messages:
            self._messages[deposit].superseded = True
        seq = self.order("new_person", deposit, told=told, sealed=self._sealed(deposit, told))
        self._corrections[deposit] = seq, told
        return True

    async def until(self, deposit: str, *states: str) -> str:
        """Wait for a deposit to be in one of these states, as staff see it."""
        if self.mirror[deposit].state in states:
            return self.mirror[deposit].state
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._watched.setdefault(deposit, []).append((states, future))
        return await future

    def _seen(self, deposit: str, state: str) -> None:
        for states, future in self._watched.get(deposit, []):
            if state in states and not future.done():
                future.set_result(state)

    def _sealed(self, deposit: str, told: Told) -> str:
        """What the box alone can read."""
        context = wire.person_context(self.config.tenant, self.config.box, deposit)
        person = {name: value for name, value in msgspec.structs.asdict(told).items() if value}
        return seal_to(self.public_key, msgspec.json.encode(person), context=context).hex()

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
                etag = f'"{len(self.configs)}"'
                same = headers.get("if-none-match") == etag
                return (304, {}, b"") if same else (200, {"etag": etag}, msgspec.json.encode(self.config))
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
        self._corrected(entry["deposit"], data.get("command"), declined=event == "command_declined")
        self._seen(entry["deposit"], mirror.state)
        if event == "extend":
            self._prolonged(mirror, int(data["command"]))
        if event == "staff_wanted":
            self.called(entry["deposit"], entry["seq"])
        if event == UNCLEAR or (event == "step_done" and data.get("step") == "old_document_chip"):
            mirror.unclear = event == UNCLEAR
        if event == "fresh_code" and sealed:
            phone = self.told[entry["deposit"]].phone
            self._spawn(self._deliver(Message(entry["deposit"], int(data["version"]), phone, sealed, fresh=True)))
        elif "version" in data and sealed:
            mirror.version = int(data["version"])
            self._send(entry["deposit"], mirror.version, sealed)

    def _prolonged(self, mirror: Mirror, seq: int) -> None:
        mirror.until = self.commands[seq - 1].command.until

    def _corrected(self, deposit: str, command: int | None, *, declined: bool) -> None:
        """The box has answered a correction: from now on, and not before, this centre believes it, too."""
        seq, told = self._corrections.get(deposit, (0, Told()))
        if command is not None and seq == command:
            del self._corrections[deposit]
            self.told[deposit] = self.told[deposit] if declined else told

    # ---- messages ----------------------------------------------------------------------------------------

    def _send(self, deposit: str, version: int, sealed: bytes) -> None:
        if deposit in self._messages:
            self._messages[deposit].superseded = True
        until = self.mirror[deposit].until = self._last_day(deposit) if self.promises else None
        message = Message(deposit, version, self.told[deposit].phone, sealed, until=until)
        self._messages[deposit] = message
        self._spawn(self._deliver(message))

    def _last_day(self, deposit: str) -> date | None:
        """The day that stands in the message; never a Sunday."""
        kind = self.kinds[deposit]
        found = [policy for config in self.configs for policy in config.policies if policy.type == kind]
        day = self._now().date() + timedelta(days=found[-1].hold_days)
        return day + timedelta(days=1) if day.weekday() == SUNDAY else day

    async def _deliver(self, message: Message) -> None:
        # For who stands at the box and waits nobody lets a message lie for hours.
        longest = min(self.message_takes, FRESH_TAKES) if message.fresh else self.message_takes
        await asyncio.sleep(self._chance.uniform(1.0, longest))
        if message.superseded or self.mirror[message.deposit].state in ("done", "returned", "missing", "cancelled"):
            return
        failed = self._chance.random() < self.message_fails
        if not failed:
            self.delivered(message, self.opened(message))
        if not message.fresh:
            self._settled(message, failed=failed)

    def _settled(self, message: Message, *, failed: bool) -> None:
        if failed:
            self.order("notice_failed", message.deposit, version=message.version)
        else:
            self.order("notice_accepted", message.deposit, version=message.version, until=message.until)

    def opened(self, message: Message) -> dict[str, str]:
        """What the worker reads in a sealed message."""
        of = wire.fresh_context if message.fresh else wire.code_context
        context = of(self.config.tenant, self.config.box, message.deposit, message.version)
        read = HPKE.decrypt(message.sealed, self._worker, info=context.encode())
        return msgspec.json.decode(bytes(read), type=dict[str, str])
