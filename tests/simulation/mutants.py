"""Planted faults: small changes of the product's source that a run has to find, each with a name.

The old text has to stand in the source exactly once; a test says so, so that no fault is lost silently when the source
changes.
"""

from __future__ import annotations

from .planting import Change, Mutant

DOKBOX = "servicepunkt.dokbox"
SERVICE, ORDERS, VISITS, DOORS, CODES, LEDGER, LINK, CHANNEL = (
    f"{DOKBOX}.controller.{name}"
    for name in ("service", "orders", "visits", "doors", "codes", "ledger", "link", "channel")
)
MODEL, JOURNAL, POLICY = f"{DOKBOX}.model", f"{DOKBOX}.journal", f"{DOKBOX}.policy"


def mutant(name: str, about: str, *changes: tuple[str, str, str]) -> Mutant:
    return Mutant(name, about, tuple(Change(*change) for change in changes))


MUTANTS: tuple[Mutant, ...] = (
    # --- opening -----------------------------------------------------------------------------------------------
    mutant(
        "pulse_before_redeem",
        "The lock is fired before the spent code is in the journal.",
        (
            SERVICE,
            "            self.ledger.record(Event.REDEEM, deposit, data=data, also=lambda _: "
            "self._journal.shred(deposit.id))\n            await self.doors.open(deposit)\n",
            "            await self.doors.open(deposit)\n            self.ledger.record(Event.REDEEM, deposit, "
            "data=data, also=lambda _: self._journal.shred(deposit.id))\n",
        ),
    ),
    mutant(
        "pulse_again_on_lost_reply",
        "A lost reply to an unlock frame is answered with a second frame.",
        (
            DOORS,
            "            unwritten = isinstance(",
            "            with suppress(BoardError):\n                await self._cabinet.unlock(deposit.compartment)\n"
            "            unwritten = isinstance(",
        ),
    ),
    mutant(
        "pulse_again_after_start",
        "After a restart the lock of a release that was under way is fired once more.",
        (
            DOORS,
            "            self._watch(after)\n",
            "            await self.open(after)\n",
        ),
    ),
    mutant(
        "wrong_lock",
        "The neighbour's lock is fired.",
        (
            DOORS,
            "await self._cabinet.unlock(deposit.compartment)",
            "await self._cabinet.unlock(deposit.compartment % len(self._cabinet.compartments) + 1)",
        ),
    ),
    mutant(
        "blind_release",
        "A door is opened although nobody sees it.",
        (DOORS, "        if compartment not in self.seen:\n            raise OutOfOrderError\n", "        return\n"),
    ),
    mutant(
        "late_order",
        "An order to open is carried out however old it is.",
        (
            ORDERS,
            "        if not command.is_valid(now):\n",
            "        if command.valid_until is None and not command.is_valid(now):\n",
        ),
    ),
    mutant(
        "own_clock_alone",
        "Whether an order is too old is judged by the box's own clock alone, which may be behind.",
        (SERVICE, "max(now, centre_time) if centre_time else now)", "now)"),
    ),
    mutant(
        "question_skipped",
        "The door opens before all questions are answered.",
        (VISITS, "not current or visit.next_question != step:", "not current:"),
    ),
    mutant(
        "no_counts_as_yes",
        "A no before the door is taken for a yes.",
        (
            VISITS,
            "        if answer:\n            self._done(visit, step)\n        elif (other",
            "        if True:\n            self._done(visit, step)\n        elif (other",
        ),
    ),
    # --- steps -------------------------------------------------------------------------------------------------
    mutant(
        "any_birth_date",
        "Whatever is typed as date of birth is right.",
        (CODES, "return expected is not None and pins.same(expected, given)", "return expected is not None"),
    ),
    mutant(
        "birth_date_lost",
        "A date of birth that was told is not kept.",
        (CODES, "    if person.birth_date is not None:\n", "    if False:\n"),
    ),
    mutant(
        "proof_survives",
        "What else a person is recognised by stays on the disk when the deposit is over.",
        (
            JOURNAL,
            "        self.drop_proofs(deposit)\n        self._shredded",
            "        self._shredded",
        ),
    ),
    mutant(
        "proofs_for_nothing",
        "What is typed besides the code is not counted.",
        (
            VISITS,
            "counted = self._ledger.record(Event.ATTEMPT, deposit) if deposit.attempts < limit else None",
            "counted = deposit if deposit.attempts < limit else None",
        ),
    ),
    mutant(
        "code_buys_guesses",
        "A right code gives back all tries, and so new guesses at what else has to be typed.",
        (
            MODEL,
            'changed |= {"attempts": max(0, before.attempts - 1), "notified_at"',
            'changed |= {"attempts": 0, "notified_at"',
        ),
    ),
    mutant(
        "fresh_for_ever",
        "A fresh code is good for as long as the visit lasts.",
        (VISITS, " and self._monotonic() < ends", " and ends > 0"),
    ),
    mutant(
        "answer_for_anybody",
        "What staff say counts for whoever stands there.",
        (VISITS, "visit.called == call > 0)", "call > 0)"),
    ),
    mutant(
        "face_lasts",
        "That staff have looked counts for later visits, too.",
        (POLICY, '= ("old_document_chip",)\n', '= ("old_document_chip", "staff_check")\n'),
    ),
    mutant(
        "any_old_document",
        "The slot draws in whatever lies in it.",
        (VISITS, '        if not self._codes.proves(deposit, "old_document_chip", number):\n', "        if False:\n"),
    ),
    mutant(
        "drawn_in_unsaid",
        "That an old document is drawn in is not on disk before it happens.",
        (VISITS, '        self._ledger.note("old_document_unclear", deposit_id=deposit.id)\n', ""),
    ),
    mutant(
        "void_too_soon",
        "An old document counts as void before the slot has drawn it in.",
        (
            SERVICE,
            "                await self._slot.keep()\n",
            "                async with self._lock:\n                    self._visits.took_in(token)\n"
            "                await self._slot.keep()\n",
        ),
    ),
    mutant(
        "slips_are_tries",
        "A slip of the finger that the check digit tells counts like a guess.",
        (
            CODES,
            "    return not deposit.code_checked or code[-1] == pins.check_digit(locator, code[:-1])\n",
            "    return True\n",
        ),
    ),
    mutant(
        "steps_of_today",
        "A document is asked for the steps that its kind has today.",
        (VISITS, "asked=self._asked(deposit),", "asked=self._config().policy_of(deposit.kind).asked,"),
    ),
    mutant(
        "no_old_one_nothing_else",
        "Who has no old document need not prove himself in another way.",
        (
            VISITS,
            "visit.asked = tuple(other if asked == step else asked for asked in visit.asked)",
            "visit.asked = tuple(asked for asked in visit.asked if asked != step)",
        ),
    ),
    # --- codes -------------------------------------------------------------------------------------------------
    mutant(
        "count_after_look",
        "The attempt is put on disk after the code was looked at.",
        (
            CODES,
            "            self._ledger.record_all([(Event.ATTEMPT, deposit, {}) for deposit, _ in found])\n",
            "            pass\n",
        ),
        (
            CODES,
            "            events.append((Event.CODE_WRONG, deposit",
            "            events.append((Event.ATTEMPT, deposit, {}))\n"
            "            events.append((Event.CODE_WRONG, deposit",
        ),
    ),
    mutant(
        "never_locked",
        "However many wrong codes, none is too many.",
        (CODES, "            if deposit.attempts < limit:\n", "            if True:\n"),
        (CODES, "            if deposit.attempts >= limit:\n", "            if False:\n"),
    ),
    mutant(
        "locked_too_soon",
        "The last try is not given.",
        (CODES, "            if deposit.attempts >= limit:\n", "            if deposit.attempts >= limit - 1:\n"),
    ),
    mutant(
        "new_code_keeps_tries",
        "A new code does not give the tries back.",
        (
            MODEL,
            '        "version": before.version + 1,\n        "attempts": 0,\n',
            '        "version": before.version + 1,\n',
        ),
    ),
    mutant(
        "any_code_opens",
        "The number alone is enough.",
        (CODES, '            if pins.same(secret.tag or b"", expected):\n', "            if True:\n"),
    ),
    mutant(
        "old_code_stays",
        "A new code is sent, and the old one goes on opening.",
        (
            CODES,
            "            self._journal.put_secret(new)\n",
            "            if event is not Event.NEW_CODE:\n                self._journal.put_secret(new)\n",
        ),
    ),
    mutant(
        "stale_look",
        "A code that was replaced while it was looked at still opens.",
        (
            CODES,
            "            if deposit is None or deposit.state not in model.COLLECTABLE or not fresh:\n",
            "            if deposit is None or deposit.state not in model.COLLECTABLE:\n",
        ),
    ),
    mutant(
        "side_by_side",
        "Several codes are looked at at once.",
        (SERVICE, "        async with self._attempt:\n", "        if True:\n"),
    ),
    mutant(
        "salt_lost",
        "The salt of a number is made anew for each of its documents.",
        (CODES, "        known = self._journal.salt_of(locator) if siblings else None\n", "        known = None\n"),
    ),
    mutant(
        "salt_shredded",
        "With one document the salt of all documents of its number is erased.",
        (
            JOURNAL,
            "        if all(secret.tag is None for secret in self.secrets_of(locator)):\n",
            "        if True:\n",
        ),
    ),
    mutant(
        "twins",
        "Two documents of one number may have the same code.",
        (CODES, "            if not any(pins.same(s.tag", "            if True or not any(pins.same(s.tag"),
    ),
    mutant(
        "other_code_sent",
        "The message holds another code than the one that opens.",
        (
            CODES,
            '        sealed = self._sealed({"code": code, "number": number}, context, config)\n',
            '        sealed = self._sealed({"code": pins.new_code(self._randbelow), "number": ""}, context, config)\n',
        ),
    ),
    mutant(
        "no_number",
        "The mobile number is left out of what finds a deposit.",
        (
            CODES,
            "pins.locator(self._vault.locator_key, step, number)",
            'pins.locator(self._vault.locator_key, step, "" if step == "phone" else number)',
        ),
    ),
    mutant(
        "quick_refusal",
        "A refusal comes as soon as it is known.",
        (
            SERVICE,
            "        await self._sleep(max(0.0, pause))\n        raise RefusedError\n\n    async def _present",
            "        raise RefusedError\n\n    async def _present",
        ),
    ),
    mutant(
        "endless_patience",
        "Many wrong codes do not slow the box down.",
        (CODES, "self._shortest * 2 ** min(excess, 20)", "self._shortest * 2 ** min(excess, 0)"),
    ),
    mutant(
        "open_at_night",
        "The opening hours are not looked at.",
        (
            SERVICE,
            "        if not self._hours(self.require_healthy()).is_open():\n",
            "        if self.require_healthy() is None:\n",
        ),
    ),
    mutant(
        "expiry_ignored",
        "A code opens for ever.",
        (CODES, "            if expires is None or now < expires:\n", "            if True:\n"),
        (SERVICE, "        self._expire()\n", ""),
    ),
    mutant(
        "expiry_unsaid",
        "What is overdue opens nothing, and nobody hears of it.",
        (SERVICE, "        self._expire()\n", ""),
    ),
    mutant(
        "hold_begins_late",
        "The hold period begins two days after the notice.",
        (
            MODEL,
            'changed |= {"notified_at": before.notified_at or at, "until"',
            'changed |= {"notified_at": at + timedelta(days=2), "until"',
        ),
    ),
    mutant(
        "extended_in_words",
        "That a document is kept longer is written down, and nothing else.",
        (MODEL, 'changed |= {"until": _instant(entry, "until") or before.until}', 'changed |= {"until": before.until}'),
    ),
    mutant(
        "shortened",
        "A document may be kept shorter than its person was told.",
        (
            ORDERS,
            "        if until is None or (expires is not None and until <= expires):\n",
            "        if until is None or expires is None:\n",
        ),
    ),
    mutant(
        "earlier_day_counts",
        "A message that arrives late takes back that the document is kept longer.",
        (MODEL, '"until": max(days, default=None)}', '"until": min(days, default=None)}'),
    ),
    mutant(
        "notice_of_another_code",
        "The notice of an older code counts for the newest.",
        (ORDERS, "        if deposit.version != command.version:\n", "        if False:\n"),
    ),
    mutant(
        "corrected_for_the_centre_alone",
        "A corrected number is found by the earlier one.",
        (
            CODES,
            '            locator = self.locator("phone", person.phone)\n        siblings',
            "            locator = secret.locator\n        siblings",
        ),
    ),
    mutant(
        "corrected_too_early",
        "A correction before there is a code is written down and not kept.",
        (
            ORDERS,
            'self._ledger.note("person_corrected", deposit_id=deposit.id, data=ordered(command), also=also)',
            'self._ledger.note("person_corrected", deposit_id=deposit.id, data=ordered(command))',
        ),
    ),
    mutant(
        "correction_keeps_the_code",
        "A corrected person gets a new code, and the earlier one's goes on opening.",
        (
            ORDERS,
            "self._config(), person=person)\n",
            "self._config(), person=person)\n            with self._journal.transaction():\n"
            "                self._journal.put_secret(before)\n",
        ),
        (
            ORDERS,
            "            current = self._sent_away(deposit)\n            model.move(",
            "            current, before = self._sent_away(deposit), self._journal.secret(deposit.id)\n"
            "            model.move(",
        ),
    ),
    mutant(
        "earlier_birth_date",
        "After a correction the earlier person's date of birth goes on counting.",
        (
            CODES,
            "            self._journal.put_proof(",
            "            if old is None or not old.version:\n                self._journal.put_proof(",
        ),
    ),
    # --- doors and compartments ----------------------------------------------------------------------------------
    mutant(
        "freed_when_closed",
        "A closed door counts as a hand-over, whatever lies behind it.",
        (MODEL, "else Event.CLOSED_UNPROVEN if unknown else Event.CLOSED_FULL", "else Event.CLOSED_EMPTY"),
    ),
    mutant(
        "unproven_is_done",
        "What no sensor can tell is not asked.",
        (MODEL, "else Event.CLOSED_UNPROVEN if unknown", "else Event.CLOSED_EMPTY if unknown"),
    ),
    mutant(
        "silence_is_yes",
        "Who leaves without an answer has taken his document.",
        (
            SERVICE,
            'self.ledger.record(Event.NOT_TAKEN, deposit, data={"reason": "idle"})',
            "self.ledger.record(Event.TAKEN, deposit)",
        ),
    ),
    mutant(
        "confirmed_unseen",
        "A clerk may say that a document is in although its door was never open.",
        (
            ORDERS,
            "        item = self._doors.items.get(deposit.compartment)\n        if not deposit.confirmable:\n",
            "        item = self._doors.items.get(deposit.compartment)\n        if False:\n",
        ),
    ),
    mutant(
        "two_eyes",
        "Who announced a document may lay it in, whatever its kind says.",
        (
            ORDERS,
            "        if event is Event.OPEN_FOR_LOAD and self._wants_other_eyes(deposit, command.actor):\n",
            "        if False:\n",
        ),
    ),
    mutant(
        "confirmed_with_two_eyes",
        "Who announced a document may confirm that it is in, whatever its kind says.",
        (ORDERS, "        elif self._wants_other_eyes(deposit, command.actor):\n", "        elif False:\n"),
    ),
    mutant(
        "compartment_twice",
        "A compartment that is in use counts as free.",
        (
            MODEL,
            "taken = {deposit.compartment for deposit in box.deposits.values()} | box.out_of_service | full",
            "taken = box.out_of_service | full",
        ),
    ),
    mutant(
        "out_of_service_ignored",
        "A compartment that staff should look into first is used on.",
        (
            MODEL,
            "for deposit in box.deposits.values()} | box.out_of_service | full",
            "for deposit in box.deposits.values()} | full",
        ),
    ),
    mutant(
        "cancelled_unseen",
        "After a cancelled loading nobody looks into the compartment.",
        (
            ORDERS,
            "        if deposit.opened_at is not None:\n",
            "        if False:\n",
        ),
    ),
    mutant(
        "key_ignored",
        "That somebody was at the doors with a key is written down, and nothing else.",
        (ORDERS, "            if (deposit.state, Event.INVENTORY) in model.MOVES\n", "            if False\n"),
    ),
    mutant(
        "forced_ignored",
        "A door that is forced open changes nothing.",
        (DOORS, "            self._ledger.record(model.Event.FORCED, deposit)\n", "            pass\n"),
    ),
    mutant(
        "forced_empty_ignored",
        "An empty compartment that was forced open is used on.",
        (DOORS, '            self.take_out(number, "forced")\n', "            pass\n"),
    ),
    mutant(
        "forced_in_the_dark_ignored",
        "A door that stands open when the box sees again changes nothing.",
        (
            MODEL,
            "            return None if deposit.state is State.BLOCKED else Event.FORCED\n",
            "            return None\n",
        ),
    ),
    mutant(
        "left_open_unsaid",
        "Nobody hears of a door that is left open.",
        (DOORS, "                self._ledger.record(model.Event.LEFT_OPEN, deposit)\n", "                pass\n"),
    ),
    mutant(
        "waits_for_ever",
        "A door that does not open is waited for without end.",
        (
            DOORS,
            "                    self._ledger.record(model.Event.NOT_OPENED, deposit)\n",
            "                    pass\n",
        ),
    ),
    mutant(
        "visit_never_ends",
        "A visit that somebody walked away from goes on.",
        (VISITS, "> (identifying if visit.identifying else seconds):\n", "> 1e9:\n"),
    ),
    mutant(
        "dark_start_is_done",
        "A release that the power interrupted counts as a hand-over.",
        (
            MODEL,
            "    return after_closing(deposit, item) if deposit.door_seen else Event.NOT_OPENED\n",
            "    return after_closing(deposit, item) if deposit.door_seen or not item else Event.NOT_OPENED\n",
        ),
        (
            MODEL,
            "    (S.RELEASING, E.NOT_OPENED): S.BLOCKED,\n",
            "    (S.RELEASING, E.NOT_OPENED): S.BLOCKED,\n    (S.RELEASING, E.CLOSED_UNPROVEN): S.DONE,\n"
            "    (S.RELEASING, E.CLOSED_EMPTY): S.DONE,\n    (S.RELEASING, E.FOUND_EMPTY): S.DONE,\n",
        ),
    ),
    # --- disk, journal, link ---------------------------------------------------------------------------------------
    mutant(
        "no_flush",
        "The journal does not wait for the disk at all.",
        (JOURNAL, '"synchronous=FULL"', '"synchronous=OFF"'),
    ),
    mutant(
        "flush_now_and_then",
        "The journal waits for the disk only at checkpoints.",
        (JOURNAL, '"synchronous=FULL"', '"synchronous=NORMAL"'),
    ),
    mutant(
        "secrets_after_the_entry",
        "What belongs to an entry is written after it, not with it.",
        (
            LEDGER,
            "                box = self._write(box, entry, also)\n                written.append",
            "                box = self._write(box, entry, None)\n                written.append",
        ),
        (
            LEDGER,
            "        self._believe(box)\n        for entry, after in written:\n",
            "        self._believe(box)\n        for entry, _ in written:\n            if also is not None:\n"
            "                with self.journal.transaction():\n                    also(entry)\n"
            "        for entry, after in written:\n",
        ),
    ),
    mutant(
        "tag_survives",
        "The tag of a spent code stays on the disk.",
        (
            SERVICE,
            "also=lambda _: self._journal.shred(deposit.id))\n            await",
            "also=lambda _: None)\n            await",
        ),
    ),
    mutant(
        "secret_survives",
        "What could open a deposit stays on the disk when it is over.",
        (LEDGER, "            self.journal.shred(entry.deposit)\n", "            pass\n"),
    ),
    mutant(
        "command_twice",
        "An old answer counts as a new one, and a command that comes a second time is carried out a second time.",
        (SERVICE, "            if command.seq <= self.ledger.box.command:\n                return\n", ""),
        (CHANNEL, "if not silent and not is_signed(", "if False and not is_signed("),
    ),
    mutant(
        "declined_in_silence",
        "A command that is declined leaves no entry.",
        (
            ORDERS,
            '        self._ledger.note("command_declined", deposit_id=command.deposit, data=data)\n',
            "        del data\n",
        ),
    ),
    mutant(
        "acknowledged_before_the_answer",
        "Entries count as delivered when they are sent.",
        (
            LINK,
            '            answer = await self._channel.post("events", wire.Events(events=events))\n',
            "            with self._journal.transaction():\n"
            '                self._journal.put_meta("acknowledged", str(events[-1].entry.seq).encode())\n'
            '            answer = await self._channel.post("events", wire.Events(events=events))\n',
        ),
    ),
    mutant(
        "message_dropped_early",
        "Sealed messages are dropped when they are sent, not when they have arrived.",
        (
            LINK,
            '            answer = await self._channel.post("events", wire.Events(events=events))\n',
            "            with self._journal.transaction():\n"
            "                self._journal.drop_envelopes(\n"
            "                    up_to=events[-1].entry.seq, before=self._controller.ledger.now())\n"
            '            answer = await self._channel.post("events", wire.Events(events=events))\n',
        ),
    ),
    mutant(
        "message_kept",
        "Sealed messages stay on the disk when the centre has them.",
        (
            LINK,
            "before=self._controller.ledger.now() - ENVELOPE_LIFE)\n",
            "before=self._controller.ledger.now() - ENVELOPE_LIFE * 9)\n",
        ),
    ),
    mutant(
        "illegal_move_ends_the_box",
        "What the doors say is written down without asking the table of moves.",
        (
            DOORS,
            "            if not deposit.door_seen:\n"
            "                self._ledger.record(model.Event.DOOR_OPENED, deposit)\n",
            "            self._ledger.record(model.Event.NOT_TAKEN, deposit)\n",
        ),
    ),
)

BY_NAME = {one.name: one for one in MUTANTS}
