"""The chain of audit entries: appended entries verify, and whatever was done to them afterwards is named."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.audit.model import GENESIS, AuditEntry, append, chain_hash, verify

START = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
DETAILS = st.dictionaries(
    st.text(max_size=8), st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=12))
)


def chain(length: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for number in range(1, length + 1):
        entries.append(
            append(
                AuditEntry(
                    tenant_id=1,
                    seq=number,
                    at=START + timedelta(seconds=number),
                    actor="account:7",
                    action="deposit.load",
                    subject=f"deposit:{number}",
                    details={"count": number, "done": number % 2 == 0},
                    previous=entries[-1].hash if entries else GENESIS.hex(),
                )
            )
        )
    return entries


def test_the_hash_can_be_recomputed_with_nothing_but_sha256_and_json() -> None:
    """Whoever audits us needs no code of ours: previous hash, then sorted JSON without spaces."""
    (entry,) = chain(1)
    body = {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in ("hash", "at")}
    body["at"] = "2026-11-21T18:40:01Z"
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    assert entry.hash == hashlib.sha256(bytes(32) + canonical).hexdigest()


@given(DETAILS)
def test_the_order_of_details_does_not_matter_and_their_content_does(
    details: dict[str, str | int | bool | None],
) -> None:
    (entry,) = chain(1)
    one = msgspec.structs.replace(entry, details=details)
    other = msgspec.structs.replace(entry, details=dict(reversed(details.items())))
    assert chain_hash(one) == chain_hash(other)
    assert chain_hash(msgspec.structs.replace(one, details={**details, "more": 1})) != chain_hash(one)


def test_a_whole_chain_has_no_fault() -> None:
    assert list(verify(chain(60))) == []
    assert list(verify([])) == []


@given(st.integers(0, 9), st.sampled_from(AuditEntry.__struct_fields__))
def test_a_change_of_any_field_is_named_with_its_entry(place: int, field: str) -> None:
    entries = chain(10)
    changed = {
        "tenant_id": 2,
        "seq": 99,
        "at": START,
        "actor": "account:8",
        "action": "deposit.unload",
        "subject": "deposit:0",
        "details": {},
        "previous": "00" * 31 + "01",
        "hash": "ff" * 32,
    }
    entries[place] = msgspec.structs.replace(entries[place], **{field: changed[field]})
    faults = list(verify(entries))
    assert faults
    assert faults[0].seq == entries[place].seq


def test_an_entry_rewritten_with_a_matching_hash_breaks_the_next_one() -> None:
    entries = chain(3)
    entries[1] = append(msgspec.structs.replace(entries[1], actor="account:8"))
    assert [(fault.seq, fault.reason) for fault in verify(entries)] == [(3, "does not follow its predecessor")]


def test_a_previous_hash_that_is_no_hash_is_a_fault_and_not_a_crash() -> None:
    entries = chain(2)
    for nonsense in ("", "zz", "0", "🙂" * 8):
        broken = [entries[0], msgspec.structs.replace(entries[1], previous=nonsense)]
        assert [fault.seq for fault in verify(broken)] == [2, 2]


def test_a_part_of_a_chain_verifies_from_a_known_place() -> None:
    entries = chain(10)
    assert list(verify(entries[4:], start=entries[3].hash, first=5)) == []
    assert [fault.seq for fault in verify(entries[4:])] == [5, 5]
