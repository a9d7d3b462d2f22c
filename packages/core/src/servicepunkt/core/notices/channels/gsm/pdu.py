"""SMS-SUBMIT to a modem and SMS-STATUS-REPORT from it, as hexadecimal text (3GPP TS 23.040, TS 27.005 4.x). Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.notices.alphabet import septets
from servicepunkt.core.notices.model import DeliveryError, Outcome

MOST_SEPTETS = 160
# First octet of SMS-SUBMIT (9.2.2.2): TP-MTI 01, TP-VPF 10 (relative), TP-SRR.
SUBMIT = 0x01 | 0x10 | 0x20
STATUS_REPORT = 0x02  # TP-MTI 10, towards the mobile
MESSAGE_TYPE = 0x03
INTERNATIONAL = 0x91  # TON 1, NPI 1 (9.1.2.5)
MOST_DIGITS = 20


class BrokenReportError(ServicepunktError):
    """The modem reported what is no status report."""

    code = "SP0046"
    staff = "The modem reported something that cannot be read."


class StatusReport(msgspec.Struct, frozen=True):
    """What a status report says of the message with this TP-MR; `accepted_at` is TP-SCTS, when the network took it."""

    reference: int
    status: int
    accepted_at: datetime | None

    @property
    def outcome(self) -> Outcome:
        """TP-ST (9.2.3.15), by its ranges: reserved values count as the range that they stand in."""
        if self.status < 0x20:
            return "delivered"
        if self.status < 0x40:
            return "sent"
        if self.status < 0x60:
            return "permanent-failure"
        return "temporary-failure" if self.status < 0x80 else "sent"


def encode_submit(recipient: str, text: str, *, valid: timedelta) -> tuple[str, int]:
    """(hexadecimal, count of octets without the address of the centre), for one segment.

    Raises DeliveryError when the text does not fit.
    """
    units = septets(text)
    if len(units) > MOST_SEPTETS:
        raise DeliveryError("the text is longer than one SMS", permanent=True)
    digits = recipient.removeprefix("+")
    address = bytes((len(digits), INTERNATIONAL)) + swapped(digits)
    head = bytes((SUBMIT, 0)) + address
    tpdu = head + bytes((0, 0, validity(valid), len(units))) + packed(units)
    # An empty address of the centre: the one on the SIM card.
    return (b"\x00" + tpdu).hex().upper(), len(tpdu)


def packed(units: bytes) -> bytes:
    """Septets one after the other, the lowest bit first (TS 23.038, 6.1.2.1.1)."""
    stream = sum(unit << 7 * place for place, unit in enumerate(units))
    return stream.to_bytes((7 * len(units) + 7) // 8, "little")


def swapped(digits: str) -> bytes:
    """Two digits an octet, the first one low; an odd one is followed by F (9.1.2.3)."""
    padded = digits + "F" * (len(digits) % 2)
    return bytes(int(padded[place + 1] + padded[place], 16) for place in range(0, len(padded), 2))


def validity(valid: timedelta) -> int:
    """TP-VP, relative (9.2.3.12.1): the longest of its steps that is no longer than `valid`."""
    minutes = int(valid / timedelta(minutes=1))
    if minutes <= 12 * 60:
        return max(0, minutes // 5 - 1)
    if minutes <= 24 * 60:
        return 143 + (minutes - 12 * 60) // 30
    days = minutes // (24 * 60)
    if days <= 30:
        return 166 + days if days > 1 else 167
    return min(255, 192 + days // 7)


def decode_report(text: str) -> StatusReport:
    """A status report as the modem writes it, with the address of the centre in front. Raises BrokenReportError."""
    try:
        data = bytes.fromhex(text)
        start = 1 + data[0]
        kind, reference, digits = data[start], data[start + 1], data[start + 2]
        if kind & MESSAGE_TYPE != STATUS_REPORT or digits > MOST_DIGITS:
            raise BrokenReportError
        after = start + 4 + (digits + 1) // 2
        return StatusReport(reference, data[after + 14], timestamp(data[after : after + 7]))
    except (ValueError, IndexError):
        raise BrokenReportError from None


def timestamp(data: bytes) -> datetime | None:
    """TP-SCTS (9.2.3.11): semi-octets of year to second, then the zone in quarters of an hour; None if it is none."""
    year, month, day, hour, minute, second = (10 * (octet & 15) + (octet >> 4) for octet in data[:6])
    quarters = 10 * (data[6] & 7) + (data[6] >> 4)
    zone = timedelta(minutes=-15 * quarters if data[6] & 8 else 15 * quarters)
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=timezone(zone))
    except ValueError:
        return None
    return local.astimezone(UTC)
