"""Codes at the box: made with the closed door, counted before they are looked at, recognised in one stretch.

The methods change the ledger; whoever calls them holds the controller's lock, except around `stretch`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from servicepunkt.dokbox import model, pins, wire
from servicepunkt.dokbox.controller.ledger import Also, Details, Ledger
from servicepunkt.dokbox.controller.peppers import Peppers
from servicepunkt.dokbox.errors import VaultError, VisitOverError
from servicepunkt.dokbox.journal import Secret
from servicepunkt.dokbox.model import Deposit, Entry, Event
from servicepunkt.dokbox.policy import DocumentPolicy, Step, asks_birth_date
from servicepunkt.dokbox.vault import Vault, seal_to

NO_CODE = "------"
NO_LOCATOR = b""  # of a deposit whose pick-up number is made with its code
PICKUP_DIGITS = 5  # fewer than any mobile number has, so that what is typed says what it is
Found = list[tuple[Deposit, Secret]]


class Codes:
    """What the box keeps of codes: tags and salts in the journal, peppers in the vault, codes nowhere."""

    def __init__(
        self,
        ledger: Ledger,
        vault: Vault,
        *,
        randomness: Callable[[int], bytes],
        randbelow: Callable[[int], int],
        cost: pins.Cost,
        config: Callable[[], wire.BoxConfig],
        peppers: Peppers,
    ) -> None:
        self._config = config
        self._peppers = peppers
        self._ledger = ledger
        self._journal = ledger.journal
        self._vault = vault
        self._randomness = randomness
        self._randbelow = randbelow
        self._cost = cost

    def locator(self, step: Step, number: str) -> bytes:
        """What stands in the box instead of a number; an empty one has a locator like any other."""
        return pins.locator(self._vault.locator_key, step, number)

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Open what the centre sealed to this box. Raises VaultError."""
        return self._vault.unseal(sealed, context=context)

    def collectable(self, locator: bytes) -> Found:
        """Deposits of a number whose codes count at this moment."""
        now = self._ledger.now()
        found = []
        for secret in self._journal.secrets_of(locator):
            deposit = self._ledger.deposit(secret.deposit)
            if deposit is None or deposit.state not in model.COLLECTABLE or secret.tag is None:
                continue
            expires = deposit.expires_at()
            if expires is None or now < expires:
                found.append((deposit, secret))
        return found

    def could_be(self, typed: str, config: wire.BoxConfig) -> bool:
        """Whether anything in this box, or laid into it today, has a code of that length."""
        lengths = {policy.typed_digits for policy in config.policies}
        lengths |= {deposit.code_digits for deposit in self._ledger.box.deposits.values()}
        return typed.isascii() and typed.isdigit() and len(typed) in lengths

    def count_attempt(self, locator: bytes, code: str, *, limit: int) -> Found:
        """Put the attempt on disk before the code is looked at: pulling the plug gives no try back.

        What cannot be the code of a deposit, by its length or its check digit, is no attempt at it.
        """
        found = []
        for deposit, secret in self.collectable(locator):
            if not fits(deposit, locator, code):
                continue
            if deposit.attempts < limit:
                found.append((deposit, secret))
            else:
                self._ledger.record(Event.LOCK, deposit)  # its last attempts ended with a pulled plug
        if found:
            self._ledger.record_all([(Event.ATTEMPT, deposit, {}) for deposit, _ in found])
        else:
            self._ledger.note("attempt_unknown")
        return found

    async def stretch(self, locator: bytes, code: str | None, config: wire.BoxConfig) -> bytes:
        """The one Argon2id run of an attempt, in the same time whether the number is known or the code is one.

        Without a code (what was typed cannot be one) it takes as long.
        """
        kid, salt = self._journal.salt_of(locator) or (self._vault.kid, self._decoy_salt(locator))
        return await self._run(NO_CODE if code is None else code, kid, salt, config)

    def judge(self, key: bytes, found: Found, config: wire.BoxConfig) -> Deposit | None:
        """The deposit that the code opens; what changed while the key was stretched no longer counts."""
        right: Deposit | None = None
        others: list[Deposit] = []
        for before, secret in found:
            deposit = self._ledger.deposit(before.id)
            fresh = self._journal.secret(before.id) == secret
            expected = self._tag(key, before, secret.version, config)
            if deposit is None or deposit.state not in model.COLLECTABLE or not fresh:
                continue
            if pins.same(secret.tag or b"", expected):
                right = deposit
            else:
                others.append(deposit)
        if right is None:
            self._refuse(others, config.max_attempts)
            return None
        voided: list[tuple[Event, Deposit, Details]] = [(Event.ATTEMPT_VOID, deposit, {}) for deposit in others]
        self._ledger.record_all([(Event.CODE_RIGHT, right, {}), *voided])
        return self._ledger.deposit(right.id)

    def _refuse(self, deposits: list[Deposit], limit: int) -> None:
        events: list[tuple[Event, Deposit, Details]] = []
        for deposit in deposits:
            events.append((Event.CODE_WRONG, deposit, {"attempt": deposit.attempts}))
            if deposit.attempts >= limit:
                events.append((Event.LOCK, deposit, {}))
        if events:
            self._ledger.record_all(events)
        else:
            self._ledger.note("attempt_refused")

    def know(self, deposit_id: str, person: wire.Person, config: wire.BoxConfig, *, by: Step) -> None:
        """Keep, inside a transaction, by what a person is recognised; replaces what was kept before.

        `by` is what the deposit is found by: the mobile number, or a number that is made with the code.
        """
        old = self._journal.secret(deposit_id)
        locator = self.locator("phone", person.phone) if by == "phone" else NO_LOCATOR
        self._journal.put_secret(Secret(deposit_id, locator, old.version if old else 0, None))
        if old is not None:
            self._journal.drop_salt(old.locator)
        self._journal.drop_proofs(deposit_id)
        for step, value in proofs_of(person).items():
            self._journal.put_proof(deposit_id, step, self._proof(deposit_id, step, value, config))

    def proves(self, deposit: Deposit, step: Step, value: str) -> bool:
        """Whether `value` (a date as YYYY-MM-DD, a document number) is what the box was told of this deposit."""
        expected = self._journal.proof(deposit.id, step)
        given = self._proof(deposit.id, step, value, self._config())
        return expected is not None and pins.same(expected, given)

    async def make(
        self,
        event: Event,
        deposit: Deposit,
        data: Details,
        config: wire.BoxConfig,
        *,
        person: wire.Person | None = None,
    ) -> None:
        """Make a code for `deposit`; event, tag and sealed message reach the disk together or not at all.

        With `person` the deposit is found by somebody else's number from now on.
        """
        policy = config.policy_of(deposit.kind)
        secret = self._journal.secret(deposit.id)
        if secret is None:
            raise VisitOverError
        if self._peppers.foreign:
            raise VaultError(reason="these are not the keys of this journal")
        number, locator = "", secret.locator
        by = located_by(deposit, policy)
        if by == "pickup_number":
            number, locator = self._new_pickup_number()
        elif person is not None:
            locator = self.locator("phone", person.phone)
        siblings = self._siblings(deposit, locator)
        # Codes of one number share pepper and salt; where there is no other one, the newest pepper serves.
        known = self._journal.salt_of(locator) if siblings else None
        kid, salt = known or (self._vault.kid, self._randomness(pins.SALT_BYTES))
        version = deposit.version + 1
        while True:
            code = pins.new_code(self._randbelow, policy.code_digits)
            code += pins.check_digit(locator, code) if policy.check_digit else ""
            key = await self._run(code, kid, salt, config)
            # Two documents of one person never have the same code: one code, one door.
            if not any(pins.same(s.tag or b"", self._tag(key, d, s.version, config)) for d, s in siblings):
                break
        new = Secret(deposit.id, locator, version, self._tag(key, deposit, version, config))
        context = wire.code_context(config.tenant, config.box, deposit.id, version)
        sealed = self._sealed({"code": code, "number": number}, context, config)

        def also(entry: Entry) -> None:
            if person is not None:
                self.know(deposit.id, person, config, by=by)
            self._journal.put_salt(locator, kid, salt)
            self._journal.put_secret(new)
            if locator != secret.locator:
                self._journal.drop_salt(secret.locator)
            self._journal.put_envelope(entry.seq, sealed)

        shape = {"version": version, "digits": len(code), "check": policy.check_digit}
        self._ledger.record(event, deposit, data={**data, **shape}, also=also)

    def fresh(self, deposit: Deposit, config: wire.BoxConfig) -> tuple[str, Also]:
        """A code that is kept nowhere, and what puts its sealed message into the journal."""
        code = pins.new_code(self._randbelow)
        context = wire.fresh_context(config.tenant, config.box, deposit.id, deposit.version)
        sealed = self._sealed({"code": code}, context, config)
        return code, lambda entry: self._journal.put_envelope(entry.seq, sealed)

    def _siblings(self, deposit: Deposit, locator: bytes) -> Found:
        """Other deposits of a number that have a code, also those whose owner stands at the box just now."""
        others = [secret for secret in self._journal.secrets_of(locator) if secret.deposit != deposit.id and secret.tag]
        return [(found, secret) for secret in others if (found := self._ledger.deposit(secret.deposit)) is not None]

    def _new_pickup_number(self) -> tuple[str, bytes]:
        """A number by which nothing is found yet, and its locator."""
        while True:
            number = pins.new_code(self._randbelow, PICKUP_DIGITS)
            locator = self.locator("pickup_number", number)
            if not self._journal.secrets_of(locator):
                return number, locator

    def _proof(self, deposit_id: str, step: Step, value: str, config: wire.BoxConfig) -> bytes:
        key = self._vault.locator_key
        return pins.proof(key, context=bound_to(config), deposit=deposit_id, step=step, value=value)

    @staticmethod
    def _sealed(values: Mapping[str, str], context: str, config: wire.BoxConfig) -> bytes:
        """What the notice worker alone can read: values of the message by their names."""
        return seal_to(bytes.fromhex(config.notice_key), msgspec.json.encode(values), context=context)

    async def _run(self, code: str, kid: str, salt: bytes, config: wire.BoxConfig) -> bytes:
        return await asyncio.to_thread(
            pins.stretch, code, salt=salt, pepper=self._vault.pepper(kid), context=bound_to(config), cost=self._cost
        )

    def _decoy_salt(self, locator: bytes) -> bytes:
        return hmac.digest(self._vault.locator_key, b"decoy" + locator, "sha256")[: pins.SALT_BYTES]

    @staticmethod
    def _tag(key: bytes, deposit: Deposit, version: int, config: wire.BoxConfig) -> bytes:
        return pins.tag(
            key, context=bound_to(config), deposit=deposit.id, compartment=deposit.compartment, version=version
        )


def fits(deposit: Deposit, locator: bytes, code: str) -> bool:
    """Whether `code` has the length and the check digit of the deposit's code."""
    if len(code) != deposit.code_digits:
        return False
    return not deposit.code_checked or code[-1] == pins.check_digit(locator, code[:-1])


def located_by(deposit: Deposit, policy: DocumentPolicy) -> Step:
    """What a deposit is found by: what its kind said on its day, not what it says now."""
    return deposit.steps[0] if deposit.steps else policy.locator


def lacks(person: wire.Person, steps: tuple[Step, ...], without_old_document: str) -> bool:
    """Whether something will be asked of this person that nobody has told the box."""
    return (
        (asks_birth_date(steps, without_old_document) and person.birth_date is None)
        or ("old_document_chip" in steps and not person.old_document)
        or ("identify" in steps and not person.identifiable)
    )


def proofs_of(person: wire.Person) -> dict[Step, str]:
    """What else than the code may be asked of a person, by its step."""
    known: dict[Step, str] = {}
    if person.birth_date is not None:
        known["birth_date"] = person.birth_date.isoformat()
    if person.old_document:
        known["old_document_chip"] = person.old_document
    return known


def bound_to(config: wire.BoxConfig) -> str:
    """tenant|box, to which every key and tag is bound."""
    return f"{config.tenant}|{config.box}"


class Patience:
    """How long a refusal takes, in seconds: always the same, and longer while many codes are tried at this box."""

    def __init__(self, *, shortest: float, longest: float, window: float, free: int) -> None:
        self._shortest, self._longest, self._window, self._free = shortest, longest, window, free
        self._refusals: deque[float] = deque()

    def refused(self, now: float, *, tried: bool = True) -> float:
        """How long a refusal at `now` (monotonic) is to take; one where no code was tried makes no later one longer."""
        self._refusals.append(now)
        while self._refusals[0] < now - self._window:
            self._refusals.popleft()
        excess = max(0, len(self._refusals) - self._free)
        if not tried:
            self._refusals.pop()
        return float(min(self._shortest * 2 ** min(excess, 20), self._longest))
