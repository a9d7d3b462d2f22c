"""PDUs of SMPP as bytes and back, by smpplib: the only module that knows the library. Pure.

What the library takes apart comes from outside and may be anything; it becomes a struct of ours or a BrokenPduError.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from servicepunkt.core.errors import MissingLibraryError, ServicepunktError

try:
    from smpplib import exceptions, smpp  # type: ignore[import-untyped]  # the library ships no types
except ImportError as error:
    raise MissingLibraryError("SMPP needs a library: pip install servicepunkt-core[smpp]") from error

HEADER = struct.Struct(">IIII")
RESPONSE = 0x80000000
MAX_PDU = 8192

OK = 0x00000000
INVALID_DESTINATION = 0x0000000B  # ESME_RINVDSTADR
TRY_AGAIN = 0x00000064  # ESME_RX_T_APPN

TON_INTERNATIONAL, TON_NETWORK, TON_ALPHANUMERIC = 1, 3, 5
NPI_UNKNOWN, NPI_ISDN = 0, 1
RECEIPT_CLASS = 0x04  # esm_class, bits 5 to 2: the message is a delivery receipt
CLASS_MASK = 0x3C
DEFAULT_ALPHABET = 0
WANT_RECEIPT = 1


class BrokenPduError(ServicepunktError):
    """The centre sent what is no PDU: the line cannot be trusted any more."""

    code = "SP0042"
    staff = "The message centre sent something that cannot be read."


class Pdu(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of a PDU. `text` is a short message, `reference` a message id, `state` the one in a receipt."""

    command: str
    status: int
    sequence: int
    reference: str = ""
    text: bytes = b""
    esm_class: int = 0
    state: int | None = None

    @property
    def is_receipt(self) -> bool:
        return self.command == "deliver_sm" and self.esm_class & CLASS_MASK == RECEIPT_CLASS


class _Numbers:
    """What the library wants of a client: the number of the next PDU."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def next_sequence(self) -> int:
        return self.sequence


def encode(command: str, sequence: int, *, status: int = OK, **fields: Any) -> bytes:
    """A PDU as bytes. Text fields are ASCII."""
    pdu = smpp.make_pdu(command, client=_Numbers(sequence), **fields)
    pdu.sequence, pdu.status = sequence, status
    made: bytes = pdu.generate()
    return made


def length_of(header: bytes) -> int:
    """The length of a whole PDU by its first four bytes. Raises BrokenPduError."""
    (length,) = struct.unpack(">I", header[:4])
    if not HEADER.size <= length <= MAX_PDU:
        raise BrokenPduError
    return int(length)


def decode(data: bytes) -> Pdu:
    """A whole PDU. Raises BrokenPduError."""
    if len(data) < HEADER.size:
        raise BrokenPduError
    _, command_id, status, sequence = HEADER.unpack(data[: HEADER.size])
    try:
        pdu = smpp.parse_pdu(data, client=_Numbers(sequence), allow_unknown_opt_params=True)
    except (
        exceptions.PDUError,
        exceptions.UnknownCommandError,
        struct.error,
        UnicodeError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        if status or command_id & RESPONSE:
            # A refusal may end after its header, and of an answer nothing but its header has to be understood.
            return Pdu(command=_name(command_id), status=status, sequence=sequence)
        raise BrokenPduError from error
    if pdu is None:
        return Pdu(command=_name(command_id), status=status, sequence=sequence)
    return Pdu(
        command=str(pdu.command),
        status=status,
        sequence=sequence,
        reference=_text(getattr(pdu, "receipted_message_id", None) or getattr(pdu, "message_id", None)),
        text=_octets(getattr(pdu, "short_message", None) or getattr(pdu, "message_payload", None)),
        esm_class=_number(getattr(pdu, "esm_class", None)) or 0,
        state=_number(getattr(pdu, "message_state", None)),
    )


def _name(command_id: int) -> str:
    return NAMES.get(command_id, "unknown")


def _octets(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(value: object) -> str:
    return _octets(value).rstrip(b"\x00").decode("latin-1")


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


# SMPP 3.4, 5.1.2.1: the commands that a session has to tell apart even where the library cannot read them.
NAMES = {
    0x80000000: "generic_nack",
    0x80000004: "submit_sm_resp",
    0x80000009: "bind_transceiver_resp",
    0x80000006: "unbind_resp",
    0x80000015: "enquire_link_resp",
    0x00000006: "unbind",
    0x00000015: "enquire_link",
    0x00000005: "deliver_sm",
}
