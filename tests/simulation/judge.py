"""Checks the invariants at every step, from what the disk holds, what doors and hands did, and what people typed."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from .asked import LATE, Asked
from .cabinet import Cabinet, Document, Driver
from .centre import VALID_SECONDS, Centre, Message
from .clockwork import Clocks, is_open
from .digits import fits
from .disk import Disk
from .invariants import NAMES, Violation
from .kinds import FOUR_EYES
from .truth import AT_THE_DOOR, ENDS, LIES, OPENS, USABLE, WAITS, Actor, Known, Told, Trace

HANGS = 1800.0
DARK = 2.0
GENESIS = "0" * 64
NO_NEW_CODE = frozenset(
    {"notice_accepted", "notice_failed", "fresh_code"}
)  # they name the version of one that is there
NOTES = frozenset({"staff_wanted", "old_document_unclear"})
LAYS_IN = frozenset({"open_for_load", "confirm_loaded"})
BERLIN = ZoneInfo("Europe/Berlin")  # where the box stands
SHORTEST = 6  # digits of codes that are laid in every day
TERMINALS = 2
DELIVERED = """SELECT count(*) FROM envelope JOIN entry USING (seq)
  WHERE seq <= CAST((SELECT value FROM meta WHERE key = 'acknowledged') AS INTEGER)
  AND json_extract(CAST(body AS TEXT), '$.at') < ?"""
KEPT_FOR = timedelta(days=1, hours=3)  # a day, and the hour until somebody looks, and time lost in the dark


class Judge:
    """One for each run; the first violation ends it."""

    def __init__(
        self,
        *,
        clocks: Clocks,
        cabinet: Cabinet,
        disk: Disk,
        centre: Centre,
        trace: Trace,
        hold_days: int,
        max_attempts: int,
        refusal: float,
        refusals_free: int,
        who: Callable[[], Actor | None],
        failed: Callable[[Violation], None],
    ) -> None:
        self.clocks, self.cabinet, self.disk, self.centre, self.trace = clocks, cabinet, disk, centre, trace
        self._hold = timedelta(days=hold_days)
        self._unheard = timedelta(days=3)
        self.max_attempts = max_attempts
        self._refusal, self._refusals_free = refusal, refusals_free
        self._failed = failed
        self.asked = Asked(self, who)
        self.known: dict[str, Known] = {}
        self.over: dict[str, str] = {}  # ended deposits with their last state
        self.documents: dict[str, Document] = {}
        self.out: dict[int, float] = {}
        self.by_compartment: dict[int, str] = {}
        self.used: dict[int, str] = {}  # compartments with an opening that was journaled and not used yet
        self.seq = 0
        self.head = GENESIS
        self.time: datetime | None = None
        self.command = 0
        self.looking = 0
        self.driver: Driver | None = None
        self.left_open_at: dict[int, float] = {}
        self._refusals: deque[float] = deque()

    # ---- saying it -----------------------------------------------------------------------------------------

    def must(self, holds: object, name: str, detail: str, deposit: str = "") -> None:
        assert name in NAMES, name
        if not holds:
            seconds = self.clocks.seconds
            self._failed(Violation(name, detail, seconds=seconds, step=self.trace.step, deposit=deposit))

    def note(self, what: str, deposit: str = "", **fields: Any) -> None:
        self.trace.line(self.clocks.seconds, what, deposit, **fields)

    # ---- the disk ------------------------------------------------------------------------------------------

    def committed(self) -> None:
        """After every commit: the new entries, one by one."""
        rows = self.disk.database.execute("SELECT body FROM entry WHERE seq > ? ORDER BY seq", (self.seq,)).fetchall()
        for (body,) in rows:
            self._entry(msgspec.json.decode(body))

    def booted(self) -> None:
        """After a power cut: is everything still there?"""
        self._refusals.clear()
        if not self.seq:
            return
        found = self.disk.database.execute("SELECT body FROM entry WHERE seq = ?", (self.seq,)).fetchone()
        there = found is not None and msgspec.json.decode(found[0])["hash"] == self.head
        self.must(there, "acknowledged_stays", f"entry {self.seq} was committed and is gone")

    def _entry(self, entry: dict[str, Any]) -> None:
        body = {name: value for name, value in entry.items() if name != "hash"}
        digest = hashlib.sha256(bytes.fromhex(entry["previous"]) + _canonical(body)).hexdigest()
        follows = entry["seq"] == self.seq + 1 and entry["previous"] == self.head and entry["hash"] == digest
        self.must(follows, "audit_complete", f"entry {entry['seq']} does not follow {self.seq}")
        self.seq, self.head = entry["seq"], entry["hash"]
        at = datetime.fromisoformat(entry["at"])
        before = self.time
        self.time = max(at, self.time) if self.time else at
        event, deposit, data = entry["event"], entry["deposit"], entry["data"]
        number = entry["compartment"]
        self.note(event, deposit, c=number, state=entry["state"], **data)
        if event == "command_declined":
            self.trace.counts[f"declined:{data.get('reason')}"] += 1
        if event == "left_open":
            self.left_open_at[number] = self.clocks.seconds
        self._command(data.get("command"), event)
        if event == "compartment_out":
            self.out[number] = self.clocks.seconds
        elif event == "compartment_in":
            self.out.pop(number, None)
        if event == "inventory_begun":
            for known in self.known.values():
                known.unlooked = known.state in LIES
        if event in NOTES:
            self.asked.noted(event, deposit, self.seq)
        if entry["state"]:
            self._move(event, deposit, number, entry["state"], data, before or at)

    def _command(self, seq: int | None, event: str) -> None:
        if seq is not None:
            self.must(seq == self.command + 1, "commands_once", f"{event} names command {seq} after {self.command}")
            self.command = seq
            order = self.centre.commands[seq - 1]
            if order.command.kind == "new_person" and event != "command_declined":
                self._corrected(self.known[order.command.deposit], order.told)

    def _corrected(self, known: Known, told: Told) -> None:
        """Somebody else collects it from now on; by what he is found his message will say."""
        known.earlier |= {known.told.phone, known.number} - {""}
        known.before = known.version
        known.told, known.number = told, ""
        document = self.documents[known.id]
        document.phone, document.born = told.phone, told.birth_date
        self.asked.told(known)

    def _move(self, event: str, deposit: str, number: int, state: str, data: dict[str, Any], before: datetime) -> None:
        known = self.known.get(deposit)
        if known is None:
            self.must(event == "reserve", "audit_complete", f"{event} of a deposit that was never reserved", deposit)
            known = self.known[deposit] = Known(deposit, number, str(data.get("kind")))
            self._reserved(known)
            self.asked.reserved(known, data)
        was = known.state
        known.state = state
        if state != was:
            known.changed_at = self.clocks.seconds
        if event in LAYS_IN and known.kind in FOUR_EYES:
            clerk = self.centre.commands[int(data["command"]) - 1].command.actor
            other = clerk != known.announced_by
            self.must(other, "four_eyes", f"{clerk} has announced it, and does {event}", deposit)
        if event == "recall":
            known.unlooked = False
        if event == "expire":
            self._expired(known, before)
        if event in ("notice_accepted", "extend"):
            self._promised(known, self.centre.commands[int(data["command"]) - 1].command.until)
        if event in OPENS:
            self.used[number] = deposit
            known.command = int(data.get("command") or 0)
        self._attempts(known, event)
        if event == "redeem":
            self._no_tag(deposit)
        self.asked.moved(event, known, data)
        if "version" in data and event not in NO_NEW_CODE:
            self._coded(known, int(data["version"]), first=was in ("loading", "reserved", "blocked"))
        elif event in NO_NEW_CODE:
            mine = data.get("version") == known.version
            self.must(mine, "every_code_has_its_message", f"{event} of version {data.get('version')} counts", deposit)
        if event == "code_right":
            self._accepted_in_time(known, before)
            tries = known.looked < self.max_attempts
            self.must(tries, "tries_limited", f"accepted after {known.looked} wrong codes", deposit)
            # A right code gives back its own try, and none of those that were wrong.
            known.asked, known.attempts = max(0, known.asked - 1), max(0, known.attempts - 1)
        if event in ("notice_accepted", "code_right"):
            known.notified = known.notified or self.time
        if state in ENDS:
            self._over(known, state)

    def _promised(self, known: Known, day: date | None) -> None:
        if day is not None:
            end = datetime.combine(day + timedelta(days=1), time(), BERLIN).astimezone(UTC)
            known.promised = max(end, known.promised or end)

    def _expired(self, known: Known, before: datetime) -> None:
        expires, now = self.expires(known), max(before, self.time or before)
        in_time = expires is not None and now >= expires
        self.must(in_time, "expiry_kept", f"over at {now}, and it was kept until {expires}", known.id)

    def _attempts(self, known: Known, event: str) -> None:
        if event == "attempt":
            known.attempts += 1
        elif event == "attempt_void":
            known.attempts = max(0, known.attempts - 1)
        elif event == "lock":
            next_one = self.centre.commands[self.command].command if self.command < len(self.centre.commands) else None
            # A code that went to the wrong person is dead even where the right one has too many documents here.
            wrong = next_one and (next_one.kind, next_one.deposit) == ("new_person", known.id)
            # Nor does a box lock what nobody has tried; who typed while a code was made tried the one before.
            typed = known.asked + TERMINALS >= self.max_attempts
            enough = wrong or (known.attempts >= self.max_attempts and typed)
            self.must(enough, "right_code_opens", f"locked after {known.attempts} attempts of {known.asked}", known.id)

    def _reserved(self, known: Known) -> None:
        number, lies = known.compartment, self.cabinet.compartments[known.compartment].documents
        other = self.by_compartment.get(number)
        self.must(other is None, "one_compartment", f"compartment {number} is already kept for another", known.id)
        self.must(number not in self.out, "one_compartment", f"compartment {number} is out of service", known.id)
        self.must(not lies, "one_compartment", f"a document lies in compartment {number}", known.id)
        self.by_compartment[number] = known.id

    def _coded(self, known: Known, version: int, *, first: bool) -> None:
        known.version, known.coded, known.notified, known.promised = version, self.time, None, None
        known.looked = known.asked = known.attempts = 0
        sealed = self.envelope()
        self.must(sealed, "every_code_has_its_message", "a code was made, and no message", known.id)
        if sealed:
            values = self.centre.opened(Message(known.id, version, known.told.phone, sealed))
            known.codes[version] = values["code"]
            # Without a number in the message his own is the one that finds it.
            known.number = self.documents[known.id].number = values.get("number") or known.told.phone
            known.earlier.discard(known.number)
            self._differs(known)
        lies = [document.id for document in self.cabinet.compartments[known.compartment].documents]
        if first:
            self.must(lies == [known.id], "stored_is_inside", f"a code was made, and inside lies {lies}", known.id)

    def envelope(self) -> bytes:
        """What was sealed with the entry that is looked at."""
        found = self.disk.database.execute("SELECT sealed FROM envelope WHERE seq = ?", (self.seq,)).fetchone()
        return bytes(found[0]) if found else b""

    def proofs(self, deposit: str) -> set[str]:
        """The steps for which the disk holds by what a person is recognised."""
        rows = self.disk.database.execute("SELECT step FROM proof WHERE deposit = ?", (deposit,)).fetchall()
        return {step for (step,) in rows}

    def _differs(self, known: Known) -> None:
        code = known.codes[known.version]
        for sibling in self.known.values():
            if sibling is not known and sibling.number == known.number and sibling.state in USABLE:
                other = sibling.codes.get(sibling.version)
                self.must(other != code, "one_valid_code", "two documents of one number have one code", known.id)

    def _accepted_in_time(self, known: Known, before: datetime) -> None:
        expires = self.expires(known)
        in_time = expires is not None and before < expires
        self.must(in_time, "expiry_kept", f"accepted at {before}, expired at {expires}", known.id)

    def expires(self, known: Known) -> datetime | None:
        if known.promised is not None:
            return known.promised
        if known.notified is not None:
            return known.notified + self._hold
        return known.coded + self._hold + self._unheard if known.coded else None

    def _over(self, known: Known, state: str) -> None:
        number = known.compartment
        inside = self.cabinet.compartments[number].documents
        document = self.documents[known.id]
        if state == "done":
            self.must(document.place == "citizen", "end_is_true", f"done, and it is at: {document.place}", known.id)
        elif state == "returned":
            self.must(document.place == "staff", "end_is_true", f"returned, and it is at: {document.place}", known.id)
        elif state == "missing":
            self.must(document not in inside, "end_is_true", f"missing, and it lies in {number}", known.id)
        left = self.disk.database.execute("SELECT count(*) FROM secret WHERE deposit = ?", (known.id,)).fetchone()[0]
        left += len(self.proofs(known.id))
        self.must(not left, "nothing_left", f"{state}, and its secret is on the disk", known.id)
        self.by_compartment.pop(number, None)
        self.used.pop(number, None)
        self.over[known.id] = state
        del self.known[known.id]
        self.trace.forget(known.id)

    def _no_tag(self, deposit: str) -> None:
        query = "SELECT count(*) FROM secret WHERE deposit = ? AND tag IS NOT NULL"
        left = self.disk.database.execute(query, (deposit,)).fetchone()[0]
        self.must(not left, "nothing_left", "the code is spent, and its tag is on the disk", deposit)

    # ---- doors and hands -----------------------------------------------------------------------------------

    def fired(self, number: int, actor: Actor | None) -> None:
        """A pulse reached the lock of a compartment."""
        deposit = self.used.pop(number, None)
        self.note("pulse", deposit or "", c=number, by=actor.name if actor else "staff")
        self.must(deposit, "audit_complete", f"a pulse on {number} without an entry of its own")
        if deposit is None:
            return
        known = self.known[deposit]
        dark = self.driver.dark.get(number) if self.driver else None
        seen = dark is None or self.clocks.seconds - dark < DARK
        self.must(seen, "only_in_sight", f"lock {number} is fired in the dark", deposit)
        if actor is None:
            self._fired_for_staff(known)
        else:
            self._fired_for(actor, known)

    def _fired_for_staff(self, known: Known) -> None:
        given = self.centre.commands[known.command - 1].at if known.command else None
        late = given is None or self.clocks.seconds > given + VALID_SECONDS + LATE
        self.must(not late, "no_late_orders", f"command {known.command} opens too late", known.id)

    def _fired_for(self, actor: Actor, known: Known) -> None:
        known.pulses += 1
        self.must(known.pulses == 1, "one_hand_over", "opened for a citizen a second time", known.id)
        document = self.documents[known.id]
        newest = known.codes.get(known.version)
        self._not_earlier(actor, known)
        mine = (actor.number, actor.code) == (known.number, newest)
        self.must(mine, "right_hands", "opened for somebody with another number or code", known.id)
        lies = self.cabinet.compartments[known.compartment].documents
        others = [other.id for other in lies if other.id != known.id]
        self.must(not others, "right_hands", "another document lies behind the door", known.id)
        elsewhere = document.place == "box" and document not in lies
        self.must(not elsewhere, "right_hands", "the document lies behind another door", known.id)
        self.asked.door(actor, known)
        looked = not known.unlooked
        self.must(looked, "looked_at_first", "opened before staff looked behind a door that had a key in it", known.id)

    def put(self, number: int, document: Document) -> None:
        lies = self.cabinet.compartments[number].documents
        self.must(lies == [document], "one_compartment", f"two documents lie in {number}", document.id)

    def _not_earlier(self, actor: Actor, known: Known) -> None:
        earlier = actor.number in known.earlier
        self.must(not earlier, "earlier_person_out", "opens for somebody whose number was corrected", known.id)

    def took(self, actor: Actor, documents: list[Document]) -> None:
        for document in documents:
            self.note("taken", document.id, by=actor.name)
            self.must(document.number == actor.number, "right_hands", "taken by somebody else", document.id)
            known = self.known.get(document.id)
            if known is not None:
                known.taken += 1
                self.must(known.taken == 1, "one_hand_over", "taken twice", document.id)

    def stands_open(self, number: int) -> None:
        """A door has been open in sight for some seconds."""
        deposit = self.by_compartment.get(number, "")
        state = self.known[deposit].state if deposit else ""
        noticed = state in AT_THE_DOOR or state == "blocked" if deposit else number in self.out
        self.must(noticed, "openings_noticed", f"door {number} stands open, and it is {state or 'in use'}", deposit)

    def left_open(self, number: int, since: float) -> None:
        """A door has been open in sight for longer than anybody needs."""
        deposit = self.by_compartment.get(number, "")
        if deposit and self.known[deposit].state in AT_THE_DOOR:
            noticed = self.left_open_at.get(number, -1.0) >= since
            self.must(noticed, "openings_noticed", f"door {number} was left open, and nobody wrote it down", deposit)

    # ---- codes ---------------------------------------------------------------------------------------------

    def message(self, deposit: str, version: int, code: str, phone: str) -> None:
        """A telephone got a code."""
        self.note("message", deposit, version=version)
        known = self.known.get(deposit)
        if known is None:
            return
        same = known.codes.get(version) == code
        self.must(same, "one_valid_code", f"the message holds another code than that of version {version}", deposit)
        his = version <= known.before or phone == known.told.phone
        self.must(his, "earlier_person_out", "a new code goes to somebody whose number was corrected", deposit)

    def made_code(self, entry: dict[str, Any], sealed: bytes) -> None:
        """The centre has an entry."""
        makes = "version" in entry["data"] and entry["event"] not in ("notice_accepted", "notice_failed")
        self.must(sealed or not makes, "every_code_has_its_message", "a code without a message", entry["deposit"])
        own = entry["seq"] <= self.seq
        self.must(own, "acknowledged_stays", f"the centre has entry {entry['seq']}, which the box never committed")

    def waiting_for(self, actor: Actor) -> list[Known]:
        """Deposits of the number that he typed."""
        return [known for known in self.known.values() if known.version and known.number == actor.number]

    def typed(self, actor: Actor) -> list[tuple[Known, int]]:
        """Somebody presses "go on"; what he would be entitled to now, with its version."""
        self.note("typed", actor.deposit, by=actor.name)
        entitled = []
        for known in self.waiting_for(actor):
            known.asked += fits(known.codes[known.version], actor.code)
            expires = self.expires(known)
            now = max(self.clocks.now(), self.time) if self.time else self.clocks.now()
            lasting = expires is not None and now + timedelta(hours=1) < expires
            right = known.codes.get(known.version) == actor.code
            if right and known.state in WAITS and lasting and known.asked <= self.max_attempts:
                entitled.append((known, known.version))
        return entitled

    def looks(self, actor: Actor) -> None:
        """The box begins to look at a typed code."""
        self.looking += 1
        self.must(self.looking <= 1, "one_at_a_time", f"{self.looking} codes are looked at", actor.deposit)
        theirs = [known for known in self.waiting_for(actor) if fits(known.codes[known.version], actor.code)]
        if not any(known.codes.get(known.version) == actor.code for known in theirs):
            for known in theirs:
                known.looked += known.state in WAITS

    def accepted(self, actor: Actor, deposit: str) -> None:
        """A typed code was accepted."""
        actor.deposit = deposit
        known = self.known.get(deposit)
        self.note("accepted", deposit, by=actor.name)
        self.asked.visitors[deposit] = actor
        self.must(known is not None, "right_hands", "accepted for a deposit that is over", deposit)
        if known is None:
            return
        self.must(is_open(self.clocks.seconds - 60) or is_open(self.clocks.seconds), "only_when_open", "", deposit)
        self._not_earlier(actor, known)
        self.must(known.number == actor.number, "right_hands", "another number was accepted", deposit)
        newest = known.codes.get(known.version)
        old = actor.code in {code for version, code in known.codes.items() if version < known.version}
        self.must(actor.code == newest or not old, "one_valid_code", "an old code was accepted", deposit)
        self.must(actor.code == newest, "right_hands", "a wrong code was accepted", deposit)

    def refused(self, actor: Actor, entitled: list[tuple[Known, int]], *, began: float) -> None:
        """The one refusal; was it right, and did it take its time?"""
        self.took_time(actor, began, tried=self._is_code(actor.code))
        for known, version in entitled:
            same = self.known.get(known.id) is known and known.version == version
            still = same and known.changed_at < began
            if still:
                self.must(known.state not in WAITS, "right_code_opens", "the right code was refused", known.id)

    def _is_code(self, text: str) -> bool:
        """Whether it could be the code of anything here; what could not is refused and is no try."""
        lengths = {SHORTEST} | {len(known.codes[known.version]) for known in self.known.values() if known.version}
        return len(text) in lengths and text.isdigit()

    def took_time(self, actor: Actor, began: float, *, tried: bool) -> None:
        """A refusal; `tried` is whether a code or a proof was looked at."""
        now = self.clocks.seconds
        self.note("refused", actor.deposit, by=actor.name)
        if tried:
            self._refusals.append(now)
        while self._refusals and self._refusals[0] < now - 590:
            self._refusals.popleft()
        took = now - began
        many = len(self._refusals) > self._refusals_free + 5
        least = self._refusal * (4 if many else 1)
        self.must(took >= least - 0.001, "refusals_alike", f"refused after {took:.2f} s", actor.deposit)

    # ---- now and then --------------------------------------------------------------------------------------

    def sweep(self, *, steady: float, connected: float) -> None:
        """What time alone must not bring; `steady` and `connected`: since when there is power and sight, network."""
        now = self.clocks.seconds
        for number, compartment in self.cabinet.compartments.items():
            for document in compartment.documents:
                ours = self.by_compartment.get(number) == document.id or number in self.out
                self.must(
                    ours or not compartment.closed or now - compartment.moved_at < 60 or steady < 60,
                    "nothing_forgotten",
                    f"a document lies in {number}, and nobody knows",
                    document.id,
                )
        for known in list(self.known.values()):
            self._sweep(known, now, steady)
            self.asked.sweep(known, min(steady, connected))
        behind = self.centre.answered < len(self.centre.commands)
        oldest = self.centre.commands[self.centre.answered].at if behind else now
        waited = min(now - oldest, steady, connected)
        self.must(waited < 3600, "commands_once", f"command {self.centre.answered + 1} is not answered")
        if self.seq and min(steady, connected) > 7200:  # the centre may have had it for a moment only
            before = (self.time - KEPT_FOR).isoformat()
            left = self.disk.database.execute(DELIVERED, (before,)).fetchone()[0]
            self.must(not left, "nothing_left", "a message that the centre has is still on the disk")

    def _sweep(self, known: Known, now: float, steady: float) -> None:
        compartment = self.cabinet.compartments[known.compartment]
        still = compartment.closed and min(now - compartment.moved_at, steady, now - known.changed_at) > HANGS
        waits = known.state in AT_THE_DOOR or known.state in ("presented", "confirming")
        # A code of a kind that the tenant file does not name is made when the box starts again; the centre takes no
        # such file while documents of the kind are on their way.
        uncoded = known.state == "loading" and not self.centre.names(known.kind, since=known.named_since)
        self.must(not (still and waits) or uncoded, "nothing_hangs", f"{known.state} for half an hour", known.id)
        expires = self.expires(known)
        # A clock that was put right a moment ago has shown the box nothing yet.
        looked = min(steady, now - self.clocks.set_at)
        if known.state in {*WAITS, "locked_out"} and expires is not None and looked > HANGS:
            overdue = self.clocks.now() - expires
            self.must(overdue < timedelta(days=1), "expiry_kept", f"overdue by {overdue}, and waits", known.id)


def _canonical(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body, order="sorted")
