"""Writing, exporting and verifying the audit chain of a tenant: no change of an export goes unnoticed."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.audit import service, store
from servicepunkt.core.audit.model import GENESIS, AuditEntry, append
from servicepunkt.core.audit.service import verify_export
from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext

START = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


def exported(length: int, *, microsecond: int = 120_000) -> list[bytes]:
    """An export of `length` entries, made without a database so that it can be spoilt a hundred thousand times."""
    lines, previous = [], GENESIS.hex()
    for number in range(1, length + 1):
        entry = append(
            AuditEntry(
                tenant_id=1,
                seq=number,
                at=START + timedelta(seconds=number, microseconds=microsecond),
                actor="account:7",
                action="box.open",
                subject=f"box:{number}",
                details={"count": number, "b": None},
                previous=previous,
            )
        )
        previous = entry.hash
        lines.append(msgspec.json.encode(entry, order="sorted") + b"\n")
    head = {"head": {"tenant_id": 1, "seq": length, "hash": previous if length else ""}}
    return [*lines, msgspec.json.encode(head) + b"\n"]


def is_sound(content: bytes) -> bool:
    """Verified as the command does it: line by line, as an open file gives them."""
    return not verify_export(io.BytesIO(content)).faults


SIXTY = exported(60)
WHOLE = b"".join(SIXTY)
THREE = b"".join(exported(3))


# --- what an export may not survive ---------------------------------------------------------------------------


def test_a_whole_export_has_no_fault() -> None:
    verdict = verify_export(SIXTY)
    assert (verdict.entries, verdict.faults) == (60, [])
    assert verdict.head is not None
    assert verdict.head.seq == 60
    assert is_sound(b"".join(exported(0)))


def test_every_byte_of_three_entries_replaced_by_every_other_byte_is_noticed() -> None:
    """Letters of another case, spaces for T, zeros at the end of a second: JSON reads some of them as the same."""
    survivors = [
        (place, value)
        for place in range(len(THREE))
        for value in range(256)
        if THREE[place] != value and is_sound(THREE[:place] + bytes([value]) + THREE[place + 1 :])
    ]
    assert survivors == []


def test_every_byte_of_sixty_entries_changed_by_one_bit_or_deleted_is_noticed() -> None:
    """The bit is the one between small and capital letters, which hexadecimal and dates do not tell apart."""
    survivors = [
        place
        for place in range(len(WHOLE))
        if is_sound(WHOLE[:place] + bytes([WHOLE[place] ^ 0x20]) + WHOLE[place + 1 :])
        or is_sound(WHOLE[:place] + WHOLE[place + 1 :])
    ]
    assert survivors == []


def test_every_deleted_repeated_or_moved_line_is_noticed() -> None:
    count = len(SIXTY)
    deleted = [n for n in range(count) if is_sound(b"".join(SIXTY[:n] + SIXTY[n + 1 :]))]
    repeated = [
        (line, place)
        for line in range(count)
        for place in range(count + 1)
        if is_sound(b"".join([*SIXTY[:place], SIXTY[line], *SIXTY[place:]]))
    ]
    swapped = []
    for one in range(count):
        for other in range(one + 1, count):
            lines = list(SIXTY)
            lines[one], lines[other] = lines[other], lines[one]
            if is_sound(b"".join(lines)):
                swapped.append((one, other))
    assert (deleted, repeated, swapped) == ([], [], [])


def test_every_cut_at_either_end_is_noticed() -> None:
    ends = [length for length in range(len(THREE)) if is_sound(THREE[:length])]
    beginnings = [length for length in range(1, len(THREE)) if is_sound(THREE[length:])]
    lines = [n for n in range(len(SIXTY)) if is_sound(b"".join(SIXTY[:n])) or is_sound(b"".join(SIXTY[n + 1 :]))]
    assert (ends, beginnings, lines) == ([], [], [])


@given(st.integers(0, len(WHOLE)), st.binary(min_size=1, max_size=3), st.integers(0, 3))
def test_inserted_and_overwritten_bytes_are_noticed(place: int, inserted: bytes, removed: int) -> None:
    spoilt = WHOLE[:place] + inserted + WHOLE[place + removed :]
    assert spoilt == WHOLE or not is_sound(spoilt)


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_the_verdict_is_a_list_of_faults(content: bytes) -> None:
    assert verify_export(io.BytesIO(content)).faults


def test_a_chain_of_another_tenant_is_not_taken_for_this_one() -> None:
    head = msgspec.json.encode({"head": {**msgspec.json.decode(SIXTY[-1])["head"], "tenant_id": 2}}) + b"\n"
    assert verify_export([*SIXTY[:-1], head]).faults


def test_a_fault_names_its_entry_or_line_and_says_why() -> None:
    changed = SIXTY[6].replace(b"box.open", b"box.shut")
    (fault,) = verify_export([*SIXTY[:6], changed, *SIXTY[7:]]).faults
    assert (fault.seq, fault.reason) == (7, "was changed after it was written")
    spaced = SIXTY[6].replace(b'"seq":', b'"seq": ')
    (fault,) = verify_export([*SIXTY[:6], spaced, *SIXTY[7:]]).faults
    assert (fault.seq, fault.reason) == (7, "line 7 is not written as an export writes it")
    unreadable = verify_export([*SIXTY[:6], b"{}\n", *SIXTY[7:]])
    assert unreadable.faults[0].reason.startswith("line 7 cannot be read: ")
    assert unreadable.entries == 59


# --- writing --------------------------------------------------------------------------------------------------


async def record(deployment: Deployment, ctx: TenantContext, subject: str, **details: str | int | bool | None) -> None:
    async with deployment.database.tenant(ctx) as tx:
        await service.record(tx, at=deployment.clock.now(), actor="test", action="thing.do", subject=subject, **details)


async def export(deployment: Deployment, ctx: TenantContext) -> list[bytes]:
    async with deployment.database.tenant(ctx) as tx:
        return [line async for line in service.export(tx)]


async def test_what_was_recorded_is_exported_and_verifies(deployment: Deployment, tenant: TenantContext) -> None:
    await record(deployment, tenant, "a:1", name="ä\n\"'", number=-3, flag=True, nothing=None)
    await record(deployment, tenant, "a:2")
    lines = await export(deployment, tenant)
    assert verify_export(lines).faults == []
    assert msgspec.json.decode(lines[0])["details"] == {"name": "ä\n\"'", "number": -3, "flag": True, "nothing": None}
    assert [msgspec.json.decode(line).get("subject") for line in lines] == ["a:1", "a:2", None]


async def test_an_empty_chain_is_exported_as_its_head_alone(deployment: Deployment, tenant: TenantContext) -> None:
    (head,) = await export(deployment, tenant)
    assert msgspec.json.decode(head) == {"head": {"tenant_id": tenant.id, "seq": 0, "hash": ""}}
    assert verify_export([head]).faults == []


async def test_each_tenant_has_a_chain_of_its_own(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    for ctx in (tenant, other, tenant, other, tenant):
        await record(deployment, ctx, "a:1")
    for ctx, count in ((tenant, 3), (other, 2)):
        verdict = verify_export(await export(deployment, ctx))
        assert (verdict.entries, verdict.faults) == (count, [])


async def test_twenty_writers_at_once_leave_an_unbroken_chain(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    writers = [record(deployment, ctx, f"task:{number}") for number in range(20) for ctx in (tenant, other)]
    await asyncio.gather(*writers)
    for ctx in (tenant, other):
        lines = await export(deployment, ctx)
        verdict = verify_export(lines)
        assert (verdict.entries, verdict.faults) == (20, [])
        subjects = {msgspec.json.decode(line)["subject"] for line in lines[:-1]}
        assert subjects == {f"task:{number}" for number in range(20)}


async def test_an_entry_is_written_if_and_only_if_its_transaction_is(
    deployment: Deployment, tenant: TenantContext
) -> None:
    await record(deployment, tenant, "kept:1")

    async def interrupted() -> None:
        async with deployment.database.tenant(tenant) as tx:
            await service.record(tx, at=START, actor="test", action="thing.do", subject="lost:1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()
    await record(deployment, tenant, "kept:2")
    async with deployment.database.tenant(tenant) as tx:
        assert [entry.subject async for entry in store.entries(tx)] == ["kept:1", "kept:2"]
    assert verify_export(await export(deployment, tenant)).faults == []


async def test_an_instant_of_another_zone_does_not_break_the_chain(
    deployment: Deployment, tenant: TenantContext
) -> None:
    """The database gives instants back in UTC; the hash has to be made of the same words."""
    async with deployment.database.tenant(tenant) as tx:
        at = START.astimezone(ZoneInfo("Europe/Berlin"))
        entry = await service.record(tx, at=at, actor="test", action="thing.do", subject="a:1")
    assert entry.at == START
    assert verify_export(await export(deployment, tenant)).faults == []


async def test_entries_are_found_by_subject_place_and_count(deployment: Deployment, tenant: TenantContext) -> None:
    for subject in ("a:1", "b:1", "a:1", "a:1"):
        await record(deployment, tenant, subject)
    async with deployment.database.tenant(tenant) as tx:
        assert [entry.seq async for entry in store.entries(tx, subject="a:1")] == [1, 3, 4]
        assert [entry.seq async for entry in store.entries(tx, subject="a:1", after=1, limit=1)] == [3]


@pytest.mark.parametrize(
    "verb", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"]
)
def test_the_application_cannot_rewrite_history_even_with_its_own_sql(urls: Urls, verb: str) -> None:
    with psycopg.connect(conninfo(urls.application)) as connection:
        connection.execute("SET app.tenant = 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(verb)  # type: ignore[arg-type]


async def test_the_use_case_cannot_rewrite_history_either(deployment: Deployment, tenant: TenantContext) -> None:
    await record(deployment, tenant, "a:1")
    mine = audit_entry.c.tenant_id == tenant.id
    for statement in (sa.update(audit_entry).where(mine).values(actor="x"), sa.delete(audit_entry).where(mine)):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            async with deployment.database.tenant(tenant) as tx:
                await tx.execute(statement)
