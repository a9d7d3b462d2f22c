"""What is asked between the right code and the open door: the part of the judge that looks at steps and proofs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .centre import VALID_SECONDS, Message, Ordered
from .kinds import ASKS_NOTHING, FRESH_MINUTES, QUESTIONS
from .slot import OldDocument
from .truth import Actor, Known

if TYPE_CHECKING:
    from .judge import Judge

PROOFS = frozenset({"birth_date", "fresh_code"})
CHIP = "old_document_chip"
LATE = 100.0  # seconds a network may keep an order that was handed out while it was valid
SURELY = 30.0  # seconds before its end in which a fresh code may count or not: the box may be busy
HEARD = 3600.0


class Asked:
    """`who` is whoever touches the screen at this moment."""

    def __init__(self, judge: Judge, who: Callable[[], Actor | None]) -> None:
        self._judge, self._who = judge, who
        self.visitors: dict[str, Actor] = {}  # whose code was right last, by deposit
        self.calls: dict[int, Actor] = {}  # who asked somebody to come, by the entry that says so

    # ---- what the disk says ------------------------------------------------------------------------------------

    def reserved(self, known: Known, data: dict[str, Any]) -> None:
        """The steps are those of the kind, and stay."""
        order = self._judge.centre.commands[int(data["command"]) - 1]
        known.told, known.announced_by = order.told, order.command.actor
        known.named_since = len(self._judge.centre.configs)
        known.steps, known.without = tuple(str(data.get("steps")).split(",")), str(data.get("without_old_document"))
        offered = {
            (tuple(policy.steps), policy.without_old_document)
            for config in self._judge.centre.configs
            for policy in config.policies
            if policy.type == known.kind
        }
        was = (known.steps, known.without) in offered
        self._must(was, "steps_of_its_day", f"no {known.kind} was ever asked {known.steps}", known)
        self.told(known)

    def told(self, known: Known) -> None:
        """The person is known, or was corrected."""
        asks_birth = "birth_date" in known.steps or known.without == "birth_date"
        asks_chip = CHIP in known.steps
        enough = (known.told.birth_date or not asks_birth) and (known.told.old_document or not asks_chip)
        self._must(enough, "steps_can_be_done", "the box was not told what a step compares with", known)
        wanted = {step for step in ("birth_date", CHIP) if step in known.steps}
        kept = self._judge.proofs(known.id) if wanted else set()
        self._must(wanted <= kept, "steps_can_be_done", f"of what was told only {sorted(kept)} is on the disk", known)

    def noted(self, event: str, deposit: str, seq: int) -> None:
        """Entries about a deposit that move nothing."""
        known, actor = self._judge.known.get(deposit), self._who()
        if event == "staff_wanted" and actor is not None:
            actor.call, self.calls[seq] = seq, actor
        if event == "old_document_unclear" and known is not None:
            known.unclear, known.unclear_at = True, self._judge.clocks.seconds

    def moved(self, event: str, known: Known, data: dict[str, Any]) -> None:
        """Entries of a deposit."""
        if event == "fresh_code":
            self._fresh(known, int(data["version"]))
        elif event == "step_done" and data["step"] == CHIP:
            self._drawn(known)
        elif event == "step_done" and data["step"] == "staff_check":
            self._attested(known, self._judge.centre.commands[int(data["command"]) - 1])
        elif event == "step_done":
            self._proved(known, str(data["step"]))

    def _fresh(self, known: Known, version: int) -> None:
        sealed = self._judge.envelope()
        self._must(sealed, "every_code_has_its_message", "a fresh code was made, and no message", known)
        actor = self._who()
        if sealed and actor is not None:
            values = self._judge.centre.opened(Message(known.id, version, "", sealed, fresh=True))
            actor.fresh.append((values["code"], self._judge.clocks.seconds))

    def _drawn(self, known: Known) -> None:
        old = self._judge.documents[known.id].old
        void = old is not None and old.place == "kept"
        self._must(void, "old_document_void", "said to be void, and it is not in the slot for good", known)
        known.unclear = False
        known.lasting.add(CHIP)

    def _attested(self, known: Known, order: Ordered) -> None:
        command, caller = order.command, self.calls.get(order.command.call)
        said = command.kind == "attest" and command.answer
        self._must(said, "call_answered", f"command {command.seq} does not say that anybody fits", known)
        stands = caller is not None and self.visitors.get(known.id) is caller
        self._must(stands, "call_answered", f"the answer to call {command.call} counts for somebody else", known)
        late = self._judge.clocks.seconds > order.at + VALID_SECONDS + LATE
        self._must(not late, "call_answered", f"command {command.seq} counts too late", known)
        if caller is not None:
            caller.done.add("staff_check")

    def _proved(self, known: Known, step: str) -> None:
        actor = self._who()
        right = actor is not None and actor.typed[0] == step and self.is_right(known, actor)
        self._must(right, "proofs_right", f"a wrong {step} counts", known)
        tries = known.looked < self._judge.max_attempts
        self._must(tries, "tries_limited", f"{step} counts after {known.looked} wrong ones", known)
        known.asked, known.attempts = max(0, known.asked - 1), max(0, known.attempts - 1)
        if actor is not None:
            actor.done.add(step)

    # ---- what people do ----------------------------------------------------------------------------------------

    def is_right(self, known: Known, actor: Actor, *, margin: float = 0.0) -> bool:
        """Whether what he typed last is what he should have typed, and will be for `margin` seconds."""
        step, typed = actor.typed
        if step == "birth_date":
            return typed == known.told.birth_date != ""
        code, sent = actor.fresh[-1] if actor.fresh else ("", 0.0)
        return typed == code != "" and self._judge.clocks.seconds + margin <= sent + FRESH_MINUTES * 60

    def answers(self, actor: Actor, step: str, *, yes: bool) -> None:
        """He answers a question."""
        known = self._judge.known.get(actor.deposit)
        if yes:
            actor.done.add(step)
        elif step == "old_document" and known is not None and known.without == "birth_date":
            actor.has_no_old = True
        else:
            actor.said_no = True

    def types(self, actor: Actor, step: str, typed: str) -> tuple[Known, int] | None:
        """He types a proof; the deposit and its version if it has to be taken for right."""
        actor.typed = (step, typed)
        known = self._judge.known.get(actor.deposit)
        if known is None:
            return None
        known.asked += 1
        actor.typed_at = known.version
        current = known.state == "presented" and self.visitors.get(known.id) is actor
        tries = known.asked <= self._judge.max_attempts
        return (known, known.version) if current and tries and self.is_right(known, actor, margin=SURELY) else None

    def refused(self, actor: Actor, entitled: tuple[Known, int] | None, *, began: float, wrong: bool) -> None:
        """What he typed was refused; was that right, and did it take its time?"""
        known = self._judge.known.get(actor.deposit)
        self._judge.took_time(actor, began, tried=True)
        # A new code counts from the beginning, also while somebody waits for the answer to what he typed before.
        if wrong and known is not None and known.version == actor.typed_at:
            known.looked += 1
        if entitled is not None:
            then, version = entitled
            still = then is known and then.version == version and then.changed_at < began
            self._must(not still, "proofs_right", f"the right {actor.typed[0]} was refused", then)

    def drew_in(self, old: OldDocument) -> None:
        """The slot has drawn a document in."""
        actor = self._who()
        known = self._judge.known.get(actor.deposit) if actor is not None else None
        self._judge.note("drawn_in", known.id if known else "")
        if known is not None:
            mine = known.told.old_document == old.number
            self._must(mine, "old_document_void", "another document was drawn in", known)
            self._must(known.unclear, "old_document_void", "drawn in, and nothing on the disk says so", known)

    def door(self, actor: Actor, known: Known) -> None:
        """The door springs open for him."""
        asked = set(known.steps) - ASKS_NOTHING
        if actor.has_no_old:
            asked = asked - {"old_document"} | {"birth_date"}
        answered = not actor.said_no and asked & QUESTIONS <= actor.done
        self._must(answered, "questions_answered", "opened without answers", known)
        missing = sorted(asked - QUESTIONS - actor.done - known.lasting)
        self._must(not missing, "steps_done", f"opened without {', '.join(missing)}", known)

    def sweep(self, known: Known, connected: float) -> None:
        """What was drawn in and not heard of staff have in one of their lists."""
        now, old = self._judge.clocks.seconds, self._judge.documents[known.id].old
        waits = old is not None and old.place == "kept" and CHIP not in known.lasting
        if waits and min(connected, now - known.unclear_at) > HEARD:
            told = self._judge.centre.mirror[known.id].unclear
            self._must(told, "old_document_void", "nobody knows whether it is void, and staff do not hear of it", known)

    def _must(self, holds: object, name: str, detail: str, known: Known) -> None:
        self._judge.must(holds, name, detail, known.id)
