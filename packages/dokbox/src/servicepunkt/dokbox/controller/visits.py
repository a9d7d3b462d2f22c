"""The citizen between the right code and the closed door: one visit each, and the steps that the policy asks for.

Visits live in memory only. Whoever calls a method holds the controller's lock.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import msgspec

from servicepunkt.dokbox import model, pins, policy, wire
from servicepunkt.dokbox.controller.codes import Codes
from servicepunkt.dokbox.controller.ledger import Details, Ledger
from servicepunkt.dokbox.errors import VisitOverError
from servicepunkt.dokbox.model import Deposit, Entry, Event, State
from servicepunkt.dokbox.policy import Step

MOST_FRESH_CODES = 3


class Call(NamedTuple):
    """That somebody identifies at the terminal beside the box: the entry that says so, and the secret that the
    terminal's browser shows the centre; the entry has a hash of it."""

    entry: int
    ticket: str


class Visit(msgspec.Struct):
    """A citizen in front of the box, from the right code to the closed door.

    `asked` are the steps before the door in their order, `confirmed` those that are done. `called`: the entry by which
    somebody was asked to come, 0 without. `identifying`: while the centre's answer is awaited. `fresh`: keyed hash of a
    fresh code and the monotonic second at which it ends. `slot`: why the old document was not taken in.
    """

    token: str
    deposit: str
    compartment: int
    kind: str
    state: State
    version: int
    last_seen: float
    asked: tuple[Step, ...] = ()
    confirmed: tuple[Step, ...] = ()
    left_open: bool = False
    called: int = 0
    identifying: Call | None = None
    fresh: tuple[bytes, float] | None = None
    fresh_sent: int = 0
    wrong: bool = False
    slot: Literal["", "empty", "unreadable", "jammed", "silent", "other"] = ""

    @property
    def next_question(self) -> Step | None:
        """What comes next; None when the door may open."""
        if self.state is State.CONFIRMING:
            return "removal"
        return next((step for step in self.asked if step not in self.confirmed), None)


class Visits:
    """The visits of a box, and what is done in them."""

    def __init__(
        self,
        ledger: Ledger,
        codes: Codes,
        *,
        randomness: Callable[[int], bytes],
        monotonic: Callable[[], float],
        config: Callable[[], wire.BoxConfig],
    ) -> None:
        self._ledger = ledger
        self._codes = codes
        self._randomness = randomness
        self._monotonic = monotonic
        self._config = config
        self._key = randomness(32)
        self._open: dict[str, Visit] = {}

    def __iter__(self) -> Iterator[Visit]:
        return iter(list(self._open.values()))

    def start(self, deposit: Deposit) -> Visit:
        """The visit of somebody whose code was right."""
        visit = Visit(
            token=self._randomness(16).hex(),
            deposit=deposit.id,
            compartment=deposit.compartment,
            kind=deposit.kind,
            state=State.PRESENTED,
            version=deposit.version,
            last_seen=self._monotonic(),
            asked=self._asked(deposit),
        )
        self._open[visit.token] = visit
        return visit

    def _asked(self, deposit: Deposit) -> tuple[Step, ...]:
        """What comes before the door; where its first entry does not say it, what the tenant file says, or staff."""
        found = self._config().policy(deposit.kind)
        steps = deposit.steps or (found.steps if found else ("staff_check",))
        return msgspec.structs.replace(deposit, steps=steps).asked

    def of(self, token: str) -> Visit:
        """The visit of `token`. Raises VisitOverError."""
        visit = self._open.get(token)
        if visit is None:
            raise VisitOverError
        visit.last_seen = self._monotonic()
        return visit

    def end(self, token: str, reason: str) -> None:
        """Forget a visit; before the door has opened the code stays valid."""
        visit = self._open.pop(token, None)
        deposit = self._ledger.deposit(visit.deposit) if visit else None
        if deposit is not None and deposit.state is State.PRESENTED:
            self._ledger.record(Event.WITHDRAW, deposit, data={"reason": reason})

    def end_idle(self, seconds: float, *, identifying: float) -> None:
        """Forget whom nobody heard of for so long; who identifies does so on pages of the centre."""
        now = self._monotonic()
        for visit in self:
            if now - visit.last_seen > (identifying if visit.identifying else seconds):
                self.end(visit.token, "idle")

    def heard(self, entry: Entry, deposit: Deposit) -> None:
        """After an entry that moves a deposit: tell its visit, or end it."""
        state = State(entry.state)
        for visit in self:
            if visit.deposit != entry.deposit:
                continue
            if deposit.version != visit.version or state in model.COLLECTABLE or state is State.LOCKED_OUT:
                # Whoever comes back to this document types its code again.
                del self._open[visit.token]
                continue
            visit.state = state
            visit.left_open = visit.left_open or entry.event == Event.LEFT_OPEN

    # --- the steps --------------------------------------------------------------------------------------------

    def presented(self, token: str, step: Step | None) -> tuple[Visit, Deposit]:
        """The visit and its deposit, if `step` is what comes next. Raises VisitOverError."""
        visit = self.of(token)
        deposit = self._ledger.deposit(visit.deposit)
        current = deposit is not None and deposit.state is State.PRESENTED and deposit.version == visit.version
        if deposit is None or not current or visit.next_question != step:
            raise VisitOverError
        return visit, deposit

    def confirm(self, token: str, step: Step, *, answer: bool) -> Visit:
        """Answer a question. "No" ends the visit and leaves the code valid, or leads to what takes the step's place."""
        visit, deposit = self.presented(token, step)
        if step not in policy.QUESTIONS and (step != "identify" or answer):
            raise VisitOverError
        if answer:
            self._done(visit, step)
        elif (other := _in_place_of(step, deposit)) is not None:
            visit.asked = tuple(other if asked == step else asked for asked in visit.asked)
            visit.identifying, visit.wrong = None, False
        else:
            self.end(token, f"{step}:no")
        return visit

    def prove(self, token: str, step: Step, typed: str) -> bool:
        """Compare what was typed; the try is on disk before that, and wrong ones lock the deposit like wrong codes."""
        visit, deposit = self.presented(token, step)
        limit = self._config().max_attempts
        counted = self._ledger.record(Event.ATTEMPT, deposit) if deposit.attempts < limit else None
        if counted is None:
            self._ledger.record(Event.LOCK, deposit)  # its last attempts ended with a pulled plug
            return False
        is_right = self._is_fresh(visit, typed) if step == "fresh_code" else self._codes.proves(deposit, step, typed)
        if is_right:
            self._ledger.record(Event.STEP_DONE, counted, data={"step": step, "counted": True})
            self._done(visit, step)
            return True
        self._wrong(visit, counted, {"step": step})
        return False

    def _wrong(self, visit: Visit, counted: Deposit, data: Details) -> None:
        """Journal that a counted try was wrong; the last one locks."""
        events: list[tuple[Event, Deposit, Details]] = [
            (Event.PROOF_WRONG, counted, {**data, "attempt": counted.attempts})
        ]
        if counted.attempts >= self._config().max_attempts:
            events.append((Event.LOCK, counted, {}))
        visit.wrong = True
        self._ledger.record_all(events)

    def send_fresh(self, token: str) -> Visit:
        """Make a code that is good for minutes, and send it where the first one went. Raises VisitOverError."""
        visit, deposit = self.presented(token, "fresh_code")
        if visit.fresh_sent >= MOST_FRESH_CODES:
            raise VisitOverError
        minutes = self._config().policy_of(deposit.kind).fresh_minutes
        code, also = self._codes.fresh(deposit, self._config())
        self._ledger.record(Event.FRESH_CODE, deposit, data={"version": deposit.version}, also=also)
        visit.fresh = (self._hash(code), self._monotonic() + minutes * 60)
        visit.fresh_sent += 1
        return visit

    def call_staff(self, token: str) -> Visit:
        """Ask staff to come and look; their answer comes as a command that names the entry of this call."""
        visit, deposit = self.presented(token, "staff_check")
        if not visit.called:
            data = {"step": "staff_check"}
            self._ledger.note("staff_wanted", deposit_id=deposit.id, compartment=deposit.compartment, data=data)
            visit.called = self._ledger.box.seq
        return visit

    def attest(self, deposit: Deposit, *, call: int, answer: bool, data: Details) -> None:
        """Take in what staff say of the person who stands here.

        Raises VisitOverError if it is not the one any more who called them.
        """
        found = next((visit for visit in self if visit.deposit == deposit.id and visit.called == call > 0), None)
        if found is None:
            raise VisitOverError
        if answer:
            self.presented(found.token, "staff_check")
            self._ledger.record(Event.STEP_DONE, deposit, data={**data, "step": "staff_check"})
            self._done(found, "staff_check")
        else:
            self._ledger.record(Event.WITHDRAW, deposit, data={**data, "reason": "staff_check:no"})

    def begin_identifying(self, token: str) -> Call:
        """Tell the centre that this person identifies now. What was begun before counts no longer."""
        visit, deposit = self.presented(token, "identify")
        ticket = self._randomness(16).hex()
        data = {"step": "identify", "ticket": wire.ticket_hash(ticket)}
        self._ledger.note("identity_wanted", deposit_id=deposit.id, compartment=deposit.compartment, data=data)
        visit.identifying, visit.wrong = Call(self._ledger.box.seq, ticket), False
        return visit.identifying

    def identified(self, deposit: Deposit, *, call: int, answer: bool, data: Details) -> None:
        """Take in whether who identified is the person to whom the document belongs; a wrong one counts like a wrong
        proof. Raises VisitOverError if it is not the visit any more that began with the entry `call`.
        """
        found = next((visit for visit in self if visit.deposit == deposit.id), None)
        if found is None or found.identifying is None or found.identifying.entry != call:
            raise VisitOverError
        self.presented(found.token, "identify")
        found.identifying = None
        if answer:
            self._ledger.record(Event.STEP_DONE, deposit, data={**data, "step": "identify"})
            self._done(found, "identify")
        elif (counted := self._ledger.record(Event.ATTEMPT, deposit)) is not None:
            self._wrong(found, counted, {**data, "step": "identify"})

    def old_document_void(self, deposit: Deposit, *, data: Details) -> None:
        """Staff have looked into the slot: the old document, of which the box did not hear the end, is void."""
        if "old_document_chip" not in self._asked(deposit) or any(visit.deposit == deposit.id for visit in self):
            raise VisitOverError
        self._ledger.record(Event.STEP_DONE, deposit, data={**data, "step": "old_document_chip"})

    def is_expected(self, token: str, number: str) -> bool:
        """Whether the document in the slot is the one that belongs to this deposit.

        That it is drawn in is on disk before it happens: if nobody hears the end of it, staff look.
        """
        visit, deposit = self.presented(token, "old_document_chip")
        if not self._codes.proves(deposit, "old_document_chip", number):
            visit.slot = "other"
            return False
        self._ledger.note("old_document_unclear", deposit_id=deposit.id)
        return True

    def took_in(self, token: str) -> None:
        """The old document is in the slot for good."""
        visit, deposit = self.presented(token, "old_document_chip")
        self._ledger.record(Event.STEP_DONE, deposit, data={"step": "old_document_chip"})
        visit.slot = ""
        self._done(visit, "old_document_chip")

    def _done(self, visit: Visit, step: Step) -> None:
        visit.confirmed = (*visit.confirmed, step) if step not in visit.confirmed else visit.confirmed
        visit.wrong = False

    def _hash(self, code: str) -> bytes:
        return hmac.digest(self._key, code.encode(), "sha256")

    def _is_fresh(self, visit: Visit, typed: str) -> bool:
        expected, ends = visit.fresh or (b"", 0.0)
        return pins.same(expected, self._hash(typed)) and self._monotonic() < ends


def _in_place_of(step: Step, deposit: Deposit) -> Step | None:
    """What the deposit asks instead of a step to which somebody says no; None where it is the counter."""
    if step in policy.OLD_DOCUMENT and deposit.without_old_document == "birth_date":
        return "birth_date"
    return "staff_check" if step == "identify" and deposit.without_identity == "staff_check" else None
