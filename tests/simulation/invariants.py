"""What must never happen, each with a name and a sentence, judged by what the world saw.

The sentences are what docs/reference/simulation.md lists; `Judge` (judge.py) checks them at every step: each pulse on a
lock, each commit on the disk, each typed code, each message, each move of a hand.
"""

from __future__ import annotations

import msgspec


class Invariant(msgspec.Struct, frozen=True):
    """A name, and what holds at every step."""

    name: str
    sentence: str


INVARIANTS = (
    Invariant(
        "one_hand_over",
        "A deposit's compartment is opened for a citizen at most once, and a document leaves it into a citizen's hands "
        "at most once.",
    ),
    Invariant(
        "right_hands",
        "A door opens for a citizen only if he typed the number and the newest code of the very document that lies "
        "behind it.",
    ),
    Invariant(
        "questions_answered",
        "No door opens for a citizen who has answered one of the questions of the document's type with no, or not at "
        "all.",
    ),
    Invariant(
        "steps_done",
        "No door opens before every step that the document's type asks for has been done in that visit; only an old "
        "document that is void counts from an earlier one.",
    ),
    Invariant(
        "steps_of_its_day", "A document is asked for the steps that its type had on the day on which it was reserved."
    ),
    Invariant("steps_can_be_done", "The box was told, and keeps, what the steps of a document compare with."),
    Invariant(
        "looked_at_first",
        "After somebody was at the doors with a key nothing is handed out that staff have not looked at since.",
    ),
    Invariant(
        "proofs_right",
        "What is typed besides the code counts if it is the date of birth that the box was told, or the newest fresh "
        "code of that visit within its minutes, and nothing else does.",
    ),
    Invariant(
        "call_answered",
        "What staff say of a person counts for the visit that called them, and while their order is valid.",
    ),
    Invariant(
        "old_document_void",
        "The slot draws in no other document than the one that belongs to the deposit; one that was drawn in is void, "
        "or staff are told to look.",
    ),
    Invariant(
        "one_valid_code",
        "Of all codes that were ever made for a deposit only the newest opens, each message holds the code of its own "
        "version, and two waiting documents of one number never have the same code.",
    ),
    Invariant(
        "earlier_person_out",
        "From the moment at which the correction of a person is in the journal nothing opens with the earlier one's "
        "number, and every new code goes to who opens with it.",
    ),
    Invariant(
        "every_code_has_its_message",
        "With every entry that makes a code the centre receives the sealed message, and a notice counts for the code "
        "that it was sent with.",
    ),
    Invariant(
        "right_code_opens",
        "Number and newest code of a document that waits are accepted while the shop is open, the box sees its doors, "
        "the hold period lasts and there are tries left.",
    ),
    Invariant(
        "tries_limited",
        "After as many wrong codes and proofs as allowed the right ones open nothing before there is a new code, "
        "whatever happens to the power in between.",
    ),
    Invariant("one_at_a_time", "Typed codes are looked at one after the other, at however many terminals."),
    Invariant(
        "refusals_alike",
        "Every refusal takes the same time at least, known number or not, and longer while many codes are tried.",
    ),
    Invariant("only_when_open", "Outside of the opening hours no code is accepted."),
    Invariant(
        "expiry_kept",
        "A code whose hold period is over by the journal's own time opens nothing, and staff hear of it within a day; "
        "it is never over before the later one of the days that its person was told of.",
    ),
    Invariant(
        "one_compartment",
        "No compartment is given to two deposits, nor one in which something lies or that is out of service; two "
        "documents never lie in one.",
    ),
    Invariant("stored_is_inside", "When a code is first made the document, and nothing else, lies in its compartment."),
    Invariant(
        "nothing_forgotten",
        "Every document behind a closed door belongs to a deposit of that compartment, or the compartment is out of "
        "service.",
    ),
    Invariant(
        "end_is_true",
        "Handed over means in the citizen's hands; returned, missing or cancelled means that nothing lies in a "
        "compartment that is used on.",
    ),
    Invariant(
        "four_eyes",
        "Where a document's type wants four eyes who announced it neither has the compartment opened nor confirms that "
        "it is in.",
    ),
    Invariant(
        "acknowledged_stays", "What was committed is on the disk after every power cut, and the centre never has more."
    ),
    Invariant(
        "audit_complete",
        "The entries on the disk form one chain; before every pulse on a lock stands an entry of its own that says for "
        "whom, and none is used twice.",
    ),
    Invariant("histories_agree", "Box and centre never tell different histories while nobody sets the disk back."),
    Invariant(
        "commands_once",
        "Every command of the centre is named by exactly one entry, in their order, and by one at last when there is "
        "a network.",
    ),
    Invariant("no_late_orders", "No door opens for staff after their order has lost its validity."),
    Invariant("only_in_sight", "No lock is fired while nobody sees its door."),
    Invariant(
        "openings_noticed",
        "A door that stands open in sight is in the journal, and once more when it is left open.",
    ),
    Invariant(
        "nothing_hangs",
        "No deposit waits for a door or for a person for half an hour while the door is closed and seen.",
    ),
    Invariant(
        "nothing_left",
        "A spent code leaves no tag on the disk, a deposit that is over no secret, a message that the centre has no "
        "copy.",
    ),
    Invariant("keeps_running", "The box ends only with its power, and answers people only with errors that it knows."),
)

NAMES = frozenset(invariant.name for invariant in INVARIANTS)


class Violation(Exception):  # noqa: N818 - it is a finding, no error of the simulation
    """An invariant did not hold."""

    def __init__(self, name: str, detail: str, *, seconds: float, step: int, deposit: str = "") -> None:
        self.name, self.detail, self.seconds, self.step, self.deposit = name, detail, seconds, step, deposit
        super().__init__(f"{name}: {detail}")
