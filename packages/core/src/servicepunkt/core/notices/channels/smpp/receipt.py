"""What a delivery receipt says (SMPP 3.4, appendix B, and 5.3.2.35 for the state as a parameter). Pure."""

from __future__ import annotations

import re

from servicepunkt.core.notices.model import Outcome, Receipt, is_reference

# 5.2.28 message_state, and the words of appendix B for the same.
STATES: dict[int, Outcome] = {
    1: "sent",  # ENROUTE
    2: "delivered",
    3: "temporary-failure",  # EXPIRED
    4: "permanent-failure",  # DELETED
    5: "permanent-failure",  # UNDELIVERABLE
    6: "sent",  # ACCEPTED: read by a person on behalf of the subscriber, and no last word
    7: "sent",  # UNKNOWN
    8: "permanent-failure",  # REJECTED
}
WORDS: dict[bytes, Outcome] = {
    b"ENROUTE": "sent",
    b"DELIVRD": "delivered",
    b"EXPIRED": "temporary-failure",
    b"DELETED": "permanent-failure",
    b"UNDELIV": "permanent-failure",
    b"ACCEPTD": "sent",
    b"UNKNOWN": "sent",
    b"REJECTD": "permanent-failure",
}
IDENTIFIER = re.compile(rb"\bid:([\x21-\x7e]{1,65})")
DECIMAL, HEXADECIMAL = re.compile(r"[0-9]+\Z"), re.compile(r"[0-9A-Fa-f]+\Z")
STATE = re.compile(rb"\bstat:([A-Z]{1,7})")


def read_receipt(text: bytes, *, reference: str, state: int | None, decimal: bool) -> Receipt | None:
    """The receipt in a message, or None where it is none. The parameters go before the text, whose form varies.

    `decimal`: the centre answers a submission with a hexadecimal id and names the same in decimal here.
    """
    if not reference and (found := IDENTIFIER.search(text)) is not None:
        reference = found[1].decode()
    outcome = STATES.get(state) if state is not None else None
    if outcome is None and (said := STATE.search(text)) is not None:
        outcome = WORDS.get(said[1])
    if outcome is None or not is_reference(reference):
        return None
    return Receipt(plain_reference(reference, base=10) if decimal else reference, outcome)


def plain_reference(reference: str, *, base: int) -> str:
    """A number that a centre wrote to this base, as we compare it: hexadecimal, small, without zeros in front.

    What is no number stays as it is.
    """
    digits = {10: DECIMAL, 16: HEXADECIMAL}[base]
    return f"{int(reference, base):x}" if digits.match(reference) else reference
