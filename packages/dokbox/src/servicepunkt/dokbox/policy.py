"""Document policies: what a kind of document needs from the desk to the closed door, as a tenant file says it. Pure.

A new kind of document is a block of TOML. The steps stand in the order in which they happen: where the deposit is
found by (`phone`, `pickup_number`), the `code`, what is asked before the door opens, then the door.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Step = Literal[
    "phone",  # the mobile number finds the deposit; the code goes there, too
    "pickup_number",  # a number from the message finds it; for codes by e-mail
    "code",
    "in_person",  # the citizen says that it is his own document; a proxy goes to the counter
    "birth_date",  # typed, and counted like a code when it is wrong
    "fresh_code",  # a second code, sent at this moment and good for minutes
    "pin_letter",  # the citizen says that the letter with the PIN has come
    "old_document",  # the citizen says that the old one was handed in
    "old_document_chip",  # the slot reads the old one's chip, keeps it and makes it void
    "staff_check",  # staff compare face and document, and say so on their page
    "identify",  # the online ID or the wallet at the terminal beside the box says whose document it is
    "open",
    "removal",  # where no sensor can tell, the citizen says that the document was taken
    "close",
]
LOCATORS: tuple[Step, ...] = ("phone", "pickup_number")
QUESTIONS: tuple[Step, ...] = ("in_person", "pin_letter", "old_document")
PROOFS: tuple[Step, ...] = ("birth_date", "fresh_code")
BEFORE_THE_DOOR: tuple[Step, ...] = (*QUESTIONS, *PROOFS, "old_document_chip", "staff_check", "identify")
#: What stays done when the visit ends: the old document is gone for good.
LASTING: tuple[Step, ...] = ("old_document_chip",)
OLD_DOCUMENT: tuple[Step, ...] = ("old_document", "old_document_chip")
END: tuple[tuple[Step, ...], ...] = (("open", "close"), ("open", "removal", "close"))

LocalText = dict[str, str]

#: What can be wrong with a policy, by its code. A box without the house around it knows the codes, too.
SENTENCES = {
    "SP3101": "a step stands there twice",
    "SP3102": "the first step is phone or pickup_number, and one of them alone",
    "SP3103": "the second step is code",
    "SP3104": "the last steps are open, removal (or not), close",
    "SP3105": "the old document is asked for once",
    "SP3106": "birth_date takes the place of the step old_document",
    "SP3107": "a code by e-mail goes with pickup_number",
    "SP3108": "reminders are days in rising order, before the hold period is over",
    "SP3109": "staff_check takes the place of the step identify",
}


class PolicyRefused(ValueError):  # noqa: N818 - what a struct raises while it is made, no error of the tree
    """A policy that does not fit together; `mistakes` are (field, code)."""

    def __init__(self, policy: str, mistakes: list[tuple[str, str]]) -> None:
        self.mistakes = mistakes
        super().__init__(f"{policy}: {'; '.join(SENTENCES[code] for _, code in mistakes)}")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is read from files and from the centre: an unknown key is a mistake."""


class DocumentPolicy(Settings, frozen=True, kw_only=True):
    """What a kind of document needs.

    `steps`: see above. `code_digits`: of the code; with `check_digit` one more behind them, which tells a slip of the
    finger from a guess. `channel`: how the code is sent. `notice`, `reminder`, `withdrawn`: names of notice templates;
    without `notice` the usual one of channel and locator.
    `hold_days`: how long it lies ready, counted from the message; the last day is one on which the point is open.
    `reminders`: days after the message. `extension_days`: by how much staff may prolong, 0 for not at all.
    `without_old_document`: where who has none goes on: at the counter, or with the date of birth.
    `identify_level`: the level of assurance that the step identify needs, from 1 (low) to 3 (high). `without_identity`:
    where who cannot identify goes on: at the counter, or with staff who come and look.
    `old_document`: says in each language where the old one goes; without it, to a member of staff. `proxy`: what
    somebody reads who collects for somebody else. `four_eyes`: who lays it in is not who announced it.
    `fresh_minutes`: how long a fresh code is good for.
    """

    type: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
    name: LocalText
    steps: tuple[Step, ...] = ("phone", "code", "open", "removal", "close")
    code_digits: Annotated[int, Meta(ge=6, le=8)] = 6
    check_digit: bool = False
    channel: Literal["sms", "email"] = "sms"
    notice: str = ""
    reminder: str = "pickup-reminder"
    withdrawn: str = "pickup-withdrawn"
    hold_days: Annotated[int, Meta(ge=1, le=90)] = 14
    reminders: tuple[Annotated[int, Meta(ge=1, le=89)], ...] = ()
    extension_days: Annotated[int, Meta(ge=0, le=30)] = 0
    without_old_document: Literal["counter", "birth_date"] = "counter"
    identify_level: Annotated[int, Meta(ge=1, le=3)] = 3
    without_identity: Literal["counter", "staff_check"] = "counter"
    old_document: LocalText = {}
    proxy: LocalText = {}
    four_eyes: bool = False
    fresh_minutes: Annotated[int, Meta(ge=2, le=60)] = 10

    def __post_init__(self) -> None:
        if found := mistakes(self):
            raise PolicyRefused(self.type, found)

    @property
    def locator(self) -> Step:
        """By what the deposit is found."""
        return self.steps[0]

    @property
    def asked(self) -> tuple[Step, ...]:
        """What comes between the right code and the open door."""
        return tuple(step for step in self.steps if step in BEFORE_THE_DOOR)

    @property
    def notice_template(self) -> str:
        """The name of the text with the code."""
        usual = "pickup-code" if self.locator == "phone" else "pickup-number-code"
        return self.notice or ("pickup-code-mail" if self.channel == "email" else usual)

    @property
    def needs_phone(self) -> bool:
        """Whether a mobile number has to be known of each deposit."""
        return self.locator == "phone" or self.channel == "sms"

    @property
    def needs_birth_date(self) -> bool:
        """Whether the date of birth has to be known of each deposit."""
        return self.needs_name or asks_birth_date(self.steps, self.without_old_document)

    @property
    def needs_name(self) -> bool:
        """Whether the family name has to be known of each deposit."""
        return "identify" in self.steps

    @property
    def typed_digits(self) -> int:
        """How many digits the citizen types."""
        return self.code_digits + self.check_digit


def asks_birth_date(steps: tuple[Step, ...], without_old_document: str) -> bool:
    """Whether these steps ask for the date of birth, of everybody or of those who have no old document."""
    return "birth_date" in steps or without_old_document == "birth_date"


def mistakes(policy: DocumentPolicy) -> list[tuple[str, str]]:
    """What is wrong with the steps and days of a policy, as (field, code); empty when all is well."""
    found = []
    steps = policy.steps
    if len(set(steps)) != len(steps):
        found.append(("steps", "SP3101"))
    if not steps or steps[0] not in LOCATORS or any(step in LOCATORS for step in steps[1:]):
        found.append(("steps", "SP3102"))
    if steps[1:2] != ("code",):
        found.append(("steps", "SP3103"))
    if steps[2 + len(policy.asked) :] not in END:
        found.append(("steps", "SP3104"))
    if set(OLD_DOCUMENT) <= set(steps):
        found.append(("steps", "SP3105"))
    if policy.without_old_document == "birth_date" and ("birth_date" in steps or "old_document" not in steps):
        found.append(("without_old_document", "SP3106"))
    if policy.without_identity == "staff_check" and ("staff_check" in steps or "identify" not in steps):
        found.append(("without_identity", "SP3109"))
    if policy.channel == "email" and policy.locator == "phone":
        found.append(("channel", "SP3107"))
    if list(policy.reminders) != sorted({day for day in policy.reminders if day < policy.hold_days}):
        found.append(("reminders", "SP3108"))
    return found
