"""What the centre orders of a box: each order is carried out once, or declined with the reason, in one entry.

Whoever calls a method holds the controller's lock. An order that cannot be carried out any more (a code for a document
that was collected meanwhile) ends as an entry that says so, never as a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import msgspec

from servicepunkt.dokbox import model, wire
from servicepunkt.dokbox.controller.codes import Codes, lacks, located_by
from servicepunkt.dokbox.controller.doors import Doors
from servicepunkt.dokbox.controller.ledger import Details, Ledger
from servicepunkt.dokbox.controller.peppers import Peppers
from servicepunkt.dokbox.controller.visits import Visits
from servicepunkt.dokbox.errors import DokboxError, VaultError, VisitOverError
from servicepunkt.dokbox.model import Deposit, Entry, Event, State
from servicepunkt.dokbox.policy import Step

#: No code is out, or none counts before staff have confirmed that the document is in.
WITHOUT_CODE = frozenset({State.RESERVED, State.LOADING, State.BLOCKED, State.RECALLING})


class Orders:
    """Carries out commands with the parts of the controller."""

    def __init__(
        self,
        ledger: Ledger,
        codes: Codes,
        doors: Doors,
        visits: Visits,
        peppers: Peppers,
        *,
        config: Callable[[], wire.BoxConfig],
        require_healthy: Callable[[], object],
        compartments: Collection[int],
    ) -> None:
        self._ledger = ledger
        self._journal = ledger.journal
        self._codes = codes
        self._doors = doors
        self._visits = visits
        self._peppers = peppers
        self._config = config
        self._require_healthy = require_healthy
        self._compartments = compartments

    def decline(self, command: wire.Command, reason: str) -> None:
        """Journal that an order was not carried out."""
        data = {"command": command.seq, "kind": command.kind, "reason": reason}
        self._ledger.note("command_declined", deposit_id=command.deposit, data=data)

    async def carry_out(self, command: wire.Command, now: datetime) -> None:
        """Do what a command says. Raises DokboxError or CabinetError where it could not be done."""
        if not command.is_valid(now):
            self.decline(command, "too_late")
            return
        match command.kind:
            case "reserve":
                self._reserve(command)
            case "open_for_load":
                await self._open_for(Event.OPEN_FOR_LOAD, command)
            case "recall":
                await self._open_for(Event.RECALL, command)
            case "confirm_loaded":
                await self._confirm_loaded(command)
            case "new_code" | "new_person":
                await self._new_code(command)
            case "extend":
                self._extend(command)
            case "attest":
                deposit = self._commanded(command)
                self._visits.attest(deposit, call=command.call, answer=command.answer, data=ordered(command))
            case "identified":
                deposit = self._commanded(command)
                self._visits.identified(deposit, call=command.call, answer=command.answer, data=ordered(command))
            case "old_document_void":
                self._visits.old_document_void(self._commanded(command), data=ordered(command))
            case "taken_back":
                self._looked(command, Event.TAKEN_BACK)
            case "not_there":
                self._looked(command, Event.NOT_THERE)
            case "inventory":
                self._inventory(command)
            case "notice_accepted" | "notice_failed":
                self._notice(command)
            case "cancel":
                self._cancel(command)
            case "compartment_in":
                if command.compartment not in self._compartments:
                    self.decline(command, "no_such_compartment")
                else:
                    self._ledger.note("compartment_in", compartment=command.compartment, data={"command": command.seq})
            case "rotate_pepper":
                self._peppers.rotate(command=command.seq)

    def _cancel(self, command: wire.Command) -> None:
        """Give a reservation up; a compartment that was open before is looked into before it is used again."""
        deposit = self._commanded(command)
        model.move(deposit.state, Event.CANCEL)
        if deposit.opened_at is not None:
            # Before the end of the deposit: a power cut in between must not leave something in a free compartment.
            self._doors.take_out(deposit.compartment, "cancelled_after_opening")
        self._ledger.record(Event.CANCEL, deposit, data={"command": command.seq})

    def _commanded(self, command: wire.Command) -> Deposit:
        deposit = self._ledger.deposit(command.deposit)
        if deposit is None:
            raise VisitOverError
        return deposit

    def _reserve(self, command: wire.Command) -> None:
        config = self._config()
        policy = config.policy(command.document)
        if policy is None or self._ledger.deposit(command.deposit) is not None:
            self.decline(command, "unknown_document" if policy is None else "known")
            return
        person = self._person(command)
        if lacks(person, policy.steps, policy.without_old_document):
            # It was announced before the tenant file asked for so much.
            self.decline(command, "person_lacks")
            return
        if policy.locator == "phone" and self._is_full_for(person, command.deposit):
            self.decline(command, "too_many_for_this_number")
            return
        compartment = model.choose_compartment(self._ledger.box, config, low=command.low, full=self._doors.unfit)
        if compartment is None:
            self.decline(command, "no_low_compartment" if command.low else "full")
            return
        self._ledger.reserve(
            command.deposit,
            compartment,
            data={
                **ordered(command),
                "kind": policy.type,
                "hold_days": policy.hold_days,
                "steps": ",".join(policy.steps),
                "without_old_document": policy.without_old_document,
                "without_identity": policy.without_identity,
            },
            also=partial(self._know, command.deposit, person, policy.locator),
        )

    def _person(self, command: wire.Command) -> wire.Person:
        """Who may collect. Raises VaultError."""
        config = self._config()
        context = wire.person_context(config.tenant, config.box, command.deposit)
        try:
            return msgspec.json.decode(self._codes.unseal(bytes.fromhex(command.sealed), context), type=wire.Person)
        except (ValueError, msgspec.DecodeError):
            raise VaultError(reason="what was sealed is no person") from None

    def _is_full_for(self, person: wire.Person, deposit_id: str) -> bool:
        """Whether a number has as many deposits here as one may have."""
        others = self._journal.secrets_of(self._codes.locator("phone", person.phone))
        return sum(secret.deposit != deposit_id for secret in others) >= model.MAX_DEPOSITS_PER_PHONE

    async def _new_code(self, command: wire.Command) -> None:
        """A new code; with another person's data the old one's number opens nothing any more."""
        deposit = self._commanded(command)
        if command.kind == "new_code":
            model.move(deposit.state, Event.NEW_CODE)
            await self._codes.make(Event.NEW_CODE, deposit, ordered(command), self._config())
            return
        try:
            await self._correct(command, deposit)
        except DokboxError:
            self._kill_code(self._commanded(command))
            raise

    async def _correct(self, command: wire.Command, deposit: Deposit) -> None:
        policy, person = self._config().policy_of(deposit.kind), self._person(command)
        by = located_by(deposit, policy)
        if lacks(person, deposit.steps, deposit.without_old_document):
            self._kill_code(deposit)
            self.decline(command, "person_lacks")
        elif by == "phone" and self._is_full_for(person, deposit.id):
            self._kill_code(deposit)
            self.decline(command, "too_many_for_this_number")
        elif deposit.state in WITHOUT_CODE:
            also = partial(self._know, deposit.id, person, by)
            self._ledger.note("person_corrected", deposit_id=deposit.id, data=ordered(command), also=also)
        else:
            current = self._sent_away(deposit)
            model.move(current.state, Event.NEW_CODE)
            await self._codes.make(Event.NEW_CODE, current, ordered(command), self._config(), person=person)

    def _sent_away(self, deposit: Deposit) -> Deposit:
        """Whoever stands at the box with the wrong person's code gets no further; returns the deposit after that."""
        if deposit.state is not State.PRESENTED:
            return deposit
        return self._ledger.record(Event.WITHDRAW, deposit, data={"reason": "person_corrected"}) or deposit

    def _kill_code(self, deposit: Deposit) -> None:
        """The code that is out went to somebody else: it opens nothing any more, whatever becomes of the order."""
        current = self._sent_away(deposit)
        if (current.state, Event.LOCK) in model.MOVES:
            self._ledger.record(Event.LOCK, current, also=lambda _: self._journal.forget(deposit.id))

    def _know(self, deposit_id: str, person: wire.Person, by: Step, _entry: Entry) -> None:
        self._codes.know(deposit_id, person, self._config(), by=by)

    def _extend(self, command: wire.Command) -> None:
        """Keep a document longer; shorter it never becomes."""
        deposit = self._commanded(command)
        until = self._end_of(command)
        expires = deposit.expires_at()
        if until is None or (expires is not None and until <= expires):
            self.decline(command, "no_later_day")
            return
        self._ledger.record(Event.EXTEND, deposit, data={**ordered(command), "until": until.isoformat()})

    def _end_of(self, command: wire.Command) -> datetime | None:
        """The end of the day that the command names, where the box stands."""
        if command.until is None:
            return None
        midnight = datetime.combine(command.until + timedelta(days=1), time(), ZoneInfo(self._config().zone))
        return midnight.astimezone(UTC)

    def _inventory(self, command: wire.Command) -> None:
        """Somebody was at the doors with a key: what lies behind them is looked at before anything is handed out."""
        events: list[tuple[Event, Deposit, Details]] = [
            (Event.INVENTORY, deposit, {"actor": command.actor})
            for deposit in self._ledger.box.deposits.values()
            if (deposit.state, Event.INVENTORY) in model.MOVES
        ]
        if events:
            self._ledger.record_all(events)
        self._ledger.note("inventory_begun", data=ordered(command))

    async def _open_for(self, event: Event, command: wire.Command) -> None:
        deposit = self._commanded(command)
        if event is not Event.RECALL:  # staff take out also what a box holds that is not believed any more
            self._require_healthy()
        self._doors.require_seen(deposit.compartment)
        item = self._doors.items.get(deposit.compartment)
        data = {**ordered(command), "item": item}
        if event is Event.OPEN_FOR_LOAD and deposit.opened_at is None and item:
            # It should be empty: whose is it? Nobody's document is laid beside another's.
            self.decline(command, "compartment_not_empty")
            return

        if event is Event.OPEN_FOR_LOAD and self._wants_other_eyes(deposit, command.actor):
            self.decline(command, "second_person_needed")
            return

        def also(_: Entry) -> None:
            if event is Event.RECALL:
                self._journal.forget(deposit.id)

        if (after := self._ledger.record(event, deposit, data=data, also=also)) is not None:
            await self._doors.open(after)

    def _wants_other_eyes(self, deposit: Deposit, actor: str) -> bool:
        """Whether who lays the document in must be somebody else than who announced it."""
        return self._config().policy_of(deposit.kind).four_eyes and actor == deposit.announced_by

    async def _confirm_loaded(self, command: wire.Command) -> None:
        deposit = self._commanded(command)
        item = self._doors.items.get(deposit.compartment)
        if not deposit.confirmable:
            self.decline(command, "door_was_not_open")
        elif self._wants_other_eyes(deposit, command.actor):
            self.decline(command, "second_person_needed")
        elif deposit.sensed and item is False:
            self.decline(command, "closed_empty")
        elif self._journal.secret(deposit.id) is None:
            self.decline(command, "code_was_used")
        else:
            await self._codes.make(Event.CONFIRM_LOADED, deposit, ordered(command), self._config())

    def _looked(self, command: wire.Command, event: Event) -> None:
        """Staff say what they found behind a door.

        Where nobody saw it open for them (a broken lock, a board that is silent, a key), the compartment is looked into
        once more before it is used again.
        """
        deposit = self._commanded(command)
        model.move(deposit.state, event)
        if self._doors.items.get(deposit.compartment):
            self.decline(command, "still_inside")
            return
        if not deposit.confirmable:
            self._doors.take_out(deposit.compartment, "taken_out_with_a_key")
        self._ledger.record(event, deposit, data=ordered(command))

    def _notice(self, command: wire.Command) -> None:
        deposit = self._commanded(command)
        if deposit.version != command.version:
            self.decline(command, "of_an_older_code")
            return
        event = Event.NOTICE_ACCEPTED if command.kind == "notice_accepted" else Event.NOTICE_FAILED
        until = self._end_of(command)
        told = until.isoformat() if until else None
        data: Details = {"command": command.seq, "version": command.version, "until": told}
        self._ledger.record(event, deposit, data=data)


def ordered(command: wire.Command) -> dict[str, str | int | bool | None]:
    """What the entry of an order says of it: which one it was, and whose."""
    return {"command": command.seq, "actor": command.actor}
