"""What staff read for states, events, commands and alerts: tables of message ids."""

from __future__ import annotations

from servicepunkt.dokbox.errors import kinds_of_refusals
from servicepunkt.dokbox.model import State

STATE_WORDS = {
    "announced": "announced",
    "refused": "refused by the box",
    "reserved": "compartment reserved",
    "loading": "door open for loading",
    "stored": "in the box, code on its way",
    "notified": "ready for collection",
    "presented": "citizen at the box",
    "releasing": "door is opening",
    "taking": "door open for the citizen",
    "confirming": "door closed, citizen is asked",
    "done": "collected",
    "locked_out": "locked after wrong codes",
    "expired": "not collected in time",
    "recalling": "door open for taking back",
    "returned": "taken back",
    "blocked": "blocked: please check",
    "missing": "compartment was found empty",
    "cancelled": "cancelled",
}
ALERT_WORDS = {
    "closed_empty": "The door was closed, but the sensor sees nothing. Is the document in? Then confirm it.",
    "not_opened": "The door did not open. Please check the lock.",
    "left_open": "The door has been open for more than a minute.",
    "forced": "The door was opened without a command.",
    "notice_failed": "The message could not be sent. Please check the mobile number.",
    "not_taken": "The door was closed with the document inside, or the sensor cannot tell.",
    "declined_pin_letter": "The citizen has not received the PIN letter. Please hand over at the counter.",
    "declined_old_document": "The citizen did not have the old document.",
    "declined_in_person": "Somebody came to collect for another person. Please tell him the way to the counter.",
    "declined_identify": "The citizen could not identify at the terminal. Please hand over at the counter.",
    "declined_staff_check": "Face and document did not fit. Please speak with the person.",
    "staff_wanted": "Somebody waits at the box for you to look at face and document.",
    "old_document_unclear": "The old document went into the slot; nobody knows whether it was made void. Please look.",
    "full": "No compartment is free.",
    "no_low_compartment": "No compartment that can be reached from a wheelchair is free.",
    "second_person_needed": "Who announced it does not lay it in: a second person has to open the compartment.",
    "no_later_day": "The document is kept for that long already.",
    "item_gone": "The document is no longer where the sensor saw it, and no open door was seen. Please check.",
    "compartment_not_empty": "Something lies in this compartment already. Please check it, then reserve another one.",
    "too_late": "The box did not hear of it in time; nothing was opened. Please try again.",
    "too_many_for_this_number": "There are already three documents for this number in the box.",
    "door_was_not_open": "The door was not open before. Please open the compartment first.",
    "closed_unproven": "The door is closed, and no sensor can tell what is inside. Please say what you found.",
    "still_inside": "The sensor still sees something in the compartment. Please look again.",
    "code_was_used": "Its code was used already. Please take the document back and announce it anew.",
    "unknown_document": "The tenant file does not name this kind of document.",
    "known": "The box knows this deposit already.",
    "person_lacks": "This document asks for more of the person than was typed. "
    "Please type it, or take the document back.",
    "disowned": "The number or address is wrong, and no right one is known: nothing is sent. Please correct it.",
    "lost_here": "The centre was restored, and the box alone knows whose document this is. "
    "Whoever has its code collects it; nobody is reminded. To announce it anew, take it back first.",
    "no_such_compartment": "The box has no such compartment.",
}
EVENT_WORDS = {
    "reserve": "Compartment reserved",
    "cancel": "Cancelled",
    "open_for_load": "Told to open for loading",
    "confirm_loaded": "Staff confirmed that the document is in",
    "door_opened": "Door opened",
    "closed_full": "Door closed, document inside",
    "closed_empty": "Door closed, compartment empty",
    "closed_unproven": "Door closed, no sensor can tell what is inside",
    "taken": "The citizen says that the document was taken",
    "not_taken": "The citizen did not say that the document was taken",
    "not_opened": "Door did not open",
    "left_open": "Door left open",
    "forced": "Door opened without a command",
    "notice_accepted": "Message handed to the provider",
    "notice_failed": "Message could not be sent",
    "new_code": "New code made",
    "attempt": "A code was typed",
    "attempt_void": "The typed code belonged to another document",
    "code_wrong": "The code was wrong",
    "lock": "Locked after too many wrong codes",
    "code_right": "The code was right",
    "fresh_code": "A fresh code was sent",
    "proof_wrong": "A proof besides the code was wrong",
    "step_done": "A step before the door was done",
    "staff_wanted": "Staff were asked to look at face and document",
    "identity_wanted": "Somebody went to the terminal to identify",
    "person_corrected": "Number or address was corrected",
    "extend": "Kept longer",
    "inventory": "To be looked at: doors were opened with a key",
    "inventory_begun": "Inventory: every document is to be looked at",
    "old_document_unclear": "The old document goes into the slot",
    "withdraw": "Visit ended before the door opened",
    "redeem": "Code used up, told to open",
    "expire": "Time for collection is over",
    "recall": "Told to open for taking back",
    "found_empty": "Compartment was found empty",
    "taken_back": "Staff say that the document is with them",
    "not_there": "Staff say that the compartment was empty",
    "command_declined": "The box declined a request",
    "unlock_lost": "The line was lost while opening",
    "compartment_out": "Compartment out of service",
    "compartment_in": "Compartment back in service",
    "item_gone": "Document gone without an open door",
    "distrusted": "The box's journal was set back or copied: nothing is handed out",
    "bus_lost": "Line to the locks lost",
    "bus_found": "Line to the locks found again",
    "board_silent": "A lock board does not answer",
    "board_untrusted": "A lock board answers without its key",
    "board_back": "The lock board answers again",
    "started": "Box started",
    "pepper_wanted": "New key for codes ordered",
    "pepper_new": "New key for codes in use",
    "pepper_erased": "Old key for codes erased",
    "pepper_refused": "A new key for codes could not be made",
}
KEYS_IN_FILES = "The keys of this box lie in files: whoever takes its computer can find out the codes."
# What staff may ask for, and what they may see waiting for the box's answer.
ACTION_WORDS: dict[str, str] = {
    "open_for_load": "Open compartment",
    "confirm_loaded": "The document is in",
    "new_code": "Send a new code",
    "lift": "Lift the lock for a caller",
    "correct": "Correct number or address",
    "extend": "Keep it longer",
    "old_document_void": "The old document is void: I have looked",
    "recall": "Take the document back",
    "taken_back": "The document is with us",
    "not_there": "The compartment was empty",
    "cancel": "Cancel",
}
#: Those that ask something first, on a page of their own.
WITH_FORM = frozenset({"correct", "lift"})
ORDER_WORDS: dict[str, str] = {
    "reserve": "Reserve a compartment",
    "new_person": "New number, new code",
    **ACTION_WORDS,
    "attest": "Face and document were looked at",
}
#: By its code, why the box refused something; what it declines for a reason of its own stands in ALERT_WORDS.
REFUSAL_WORDS: dict[str, str] = {kind.code: kind.sentence for kind in kinds_of_refusals()}

# What the list may show; the words are the heading. What needs staff is found by a query of its own.
FILTERS: dict[str, tuple[str, ...]] = {
    "open": ("announced", State.RESERVED, State.LOADING),
    "waiting": (State.STORED, State.NOTIFIED, State.PRESENTED, State.RELEASING, State.TAKING, State.CONFIRMING),
    "attention": (),
    "overdue": (),
    "finished": (State.DONE, State.RETURNED, State.CANCELLED, "refused"),
}
FILTER_TITLES = {
    "open": "To be loaded",
    "waiting": "In the box",
    "attention": "Needs you",
    "overdue": "Overdue",
    "finished": "Finished",
}
WAITS_FOR_YOU = "People who wait at a box"
WAITS_FOR_YOU_HREF = "/staff/attest"
NEEDS_YOU = "Deposits that need you"
NEEDS_YOU_HREF = "/staff/deposits?show=attention"
