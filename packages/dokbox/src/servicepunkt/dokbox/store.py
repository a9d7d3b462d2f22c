"""The centre's tables: boxes, the mirror of their deposits, their journals, and commands that wait for them.

What binds a box and the centre stands in `trust.store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.figures.counting import per_day
from servicepunkt.dokbox import model
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.trust.store import box_trust
from servicepunkt.dokbox.wire import Command

MOST_DEPOSITS = 200  # in a list that people read
# Two states that only the centre knows: the box was not asked yet, and the box has no compartment for it.
ANNOUNCED, REFUSED = "announced", "refused"
STATES = (ANNOUNCED, REFUSED, *map(str, State))
FINAL = frozenset({REFUSED, *map(str, model.FINAL)})
# What somebody has to look after, and what is being looked after at this moment.
NEEDS_STAFF = (*sorted(map(str, model.NEEDS_STAFF)), str(State.RECALLING))

# Alerts that are asked for: the citizen waits for somebody to look; an old document went into the slot, end unknown.
STAFF_WANTED, OLD_DOCUMENT_UNCLEAR = "staff_wanted", "old_document_unclear"
IDENTITY_WANTED = "identity_wanted"  # somebody goes to the terminal beside the box to identify

box = tenant_table(
    "box",
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("point", sa.Text, nullable=False),
    sa.Column("acknowledged", sa.BigInteger, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("commands", sa.BigInteger, nullable=False),
    sa.Column("seen_at", Instant, nullable=True),
    sa.Column("disputed", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("closing", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("vault", sa.Text, nullable=False, server_default=""),
    sa.Column("troubles", JSONB, nullable=False, server_default="[]"),
    sa.Column("life", sa.Integer, nullable=False, server_default="1"),
    key=("id",),
    kept="a thing of the town, as its tenant file has it",
)

deposit = tenant_table(
    "deposit",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("box", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("compartment", sa.Integer, nullable=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("alert", sa.Text, nullable=False),
    sa.Column("document_index", sa.LargeBinary, nullable=False),
    sa.Column("personal", sa.LargeBinary, nullable=True),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("low", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("until", sa.Date, nullable=True),
    sa.Column("notified_at", Instant, nullable=True),
    sa.Column("reminded", sa.Integer, nullable=False, server_default="0"),
    sa.Column("correction", sa.LargeBinary, nullable=True),
    sa.Column("correcting", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("disowned", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("unclear", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(["tenant_id", "box"], ["box.tenant_id", "box.id"]),
    sa.UniqueConstraint("tenant_id", "reference"),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.Index("ix_deposit_state", "tenant_id", "state", "updated_at"),
    sa.Index("ix_deposit_document", "tenant_id", "document_index"),
    key=("id",),
)

box_event = tenant_table(
    "box_event",
    sa.Column("box", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("deposit", sa.Text, nullable=False),
    sa.Column("compartment", sa.Integer, nullable=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("data", JSONB, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("life", sa.Integer, nullable=False, server_default="1"),
    sa.ForeignKeyConstraint(["tenant_id", "box"], ["box.tenant_id", "box.id"]),
    sa.Index("ix_box_event_deposit", "tenant_id", "deposit", "seq"),
    key=("box", "life", "seq"),
    kept="the journal of the box, which is a chain; it names deposits by their ids, and no person",
)

box_command = tenant_table(
    "box_command",
    sa.Column("box", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "box"], ["box.tenant_id", "box.id"]),
    key=("box", "seq"),
    kept="a command is deleted as soon as its box has dealt with it",
)

TABLES = (box, deposit, box_event, box_command, box_trust)


class BoxRow(msgspec.Struct, frozen=True, kw_only=True):
    """A box as the centre knows it; `acknowledged` and `head` are the end of its journal that is stored here.

    `disputed`: the entry from which on its journal is not believed, 0 when all is well. `closing`: it takes nothing
    in any more, because it is emptied before it is moved. `vault` and `troubles` are what the box last said of itself
    (`wire.Condition`). `life` counts the journals that it began, see `renewal`.
    """

    id: str
    point: str
    acknowledged: int = 0
    head: str
    commands: int = 0
    seen_at: datetime | None = None
    disputed: int = 0
    closing: bool = False
    vault: str = ""
    troubles: list[str] = []
    life: int = 1


class DepositRow(msgspec.Struct, frozen=True, kw_only=True):
    """The mirror of a deposit; `state` is one of `STATES`.

    `low`: in a compartment that can be reached from a wheelchair. `until`: the last day that the citizen was told of,
    `notified_at`: since when, `reminded`: how often. `correction`: what is to take the place of `personal` as soon as
    the box has carried out the command `correcting`. `disowned`: staff have said that `personal` is wrong, so nothing
    is sent there any more. `unclear`: an old document went into the slot, and nobody knows whether it is void. One that
    is not finished and has no `personal` was lost here, when the centre was restored, and is known to the box alone.
    """

    id: UUID
    box: str
    reference: str
    kind: str
    state: str = ANNOUNCED
    compartment: int | None = None
    version: int = 0
    attempts: int = 0
    alert: str = ""
    document_index: bytes
    personal: bytes | None
    locale: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    low: bool = False
    until: date | None = None
    notified_at: datetime | None = None
    reminded: int = 0
    correction: bytes | None = None
    correcting: int = 0
    disowned: bool = False
    unclear: bool = False


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a box's journal, as it was received."""

    box: str
    seq: int
    at: datetime
    event: str
    deposit: str
    compartment: int | None
    state: str
    data: dict[str, str | int | bool | None]
    previous: str
    hash: str
    received_at: datetime
    life: int = 1


class WaitingCommand(msgspec.Struct, frozen=True):
    """A command that the box has not answered, and when it was given."""

    command: Command
    created_at: datetime


# --- boxes --------------------------------------------------------------------------------------------------------


async def ensure_box(tx: Transaction, new: BoxRow) -> None:
    """Insert a box, or move it to another point; its journal's end stays as it is."""
    statement = insert(box).values(tenant_id=tx.tenant_id, **msgspec.structs.asdict(new))
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_={"point": statement.excluded.point})
    )


async def find_box(tx: Transaction, box_id: str, *, lock: bool = False) -> BoxRow | None:
    query = sa.select(box).where(box.c.tenant_id == tx.tenant_id, box.c.id == box_id)
    # FOR NO KEY UPDATE: new deposits refer to this row while others wait for it, and must not wait in a circle.
    return await tx.first(BoxRow, query.with_for_update(key_share=True) if lock else query)


async def boxes(tx: Transaction) -> list[BoxRow]:
    query = sa.select(box).where(box.c.tenant_id == tx.tenant_id).order_by(box.c.id)
    return await tx.all(BoxRow, query)


async def update_box(tx: Transaction, box_id: str, **values: Any) -> None:
    await tx.execute(sa.update(box).where(box.c.tenant_id == tx.tenant_id, box.c.id == box_id).values(**values))


# --- deposits -----------------------------------------------------------------------------------------------------


async def insert_deposit(tx: Transaction, new: DepositRow) -> None:
    await tx.insert(deposit, new)


async def find_deposit(tx: Transaction, deposit_id: UUID, *, lock: bool = False) -> DepositRow | None:
    query = sa.select(deposit).where(deposit.c.tenant_id == tx.tenant_id, deposit.c.id == deposit_id)
    return await tx.first(DepositRow, query.with_for_update() if lock else query)


async def deposits(
    tx: Transaction, *, states: Sequence[str] = (), document_index: bytes | None = None, limit: int = MOST_DEPOSITS
) -> list[DepositRow]:
    """The newest first."""
    query = sa.select(deposit).where(deposit.c.tenant_id == tx.tenant_id)
    if states:
        query = query.where(deposit.c.state.in_(states))
    if document_index is not None:
        query = query.where(deposit.c.document_index == document_index)
    return await tx.all(DepositRow, query.order_by(deposit.c.id.desc()).limit(limit))


def _needing_staff(tx: Transaction) -> sa.ColumnElement[bool]:
    """Deposits in a state that needs staff, and those that are not finished and say why they do not go on."""
    says_why = sa.or_(deposit.c.alert != "", deposit.c.unclear, deposit.c.personal.is_(None))
    stuck = sa.and_(says_why, deposit.c.state.not_in(FINAL))
    return sa.and_(deposit.c.tenant_id == tx.tenant_id, sa.or_(deposit.c.state.in_(NEEDS_STAFF), stuck))


async def deposits_needing_staff(tx: Transaction, *, limit: int = MOST_DEPOSITS) -> list[DepositRow]:
    """The newest first."""
    query = sa.select(deposit).where(_needing_staff(tx))
    return await tx.all(DepositRow, query.order_by(deposit.c.id.desc()).limit(limit))


async def count_needing_staff(tx: Transaction, *, box_id: str = "") -> int:
    """How many there are, at one box if it is named."""
    query = sa.select(sa.func.count()).select_from(deposit).where(_needing_staff(tx))
    return int(await tx.scalar(query.where(deposit.c.box == box_id) if box_id else query))


async def inside(tx: Transaction, box_id: str) -> list[DepositRow]:
    """Everything for which a compartment is kept, by compartment."""
    return [row for row in await unfinished(tx, box_id) if row.compartment is not None]


async def overdue(tx: Transaction, today: date, *, limit: int = MOST_DEPOSITS) -> list[DepositRow]:
    """What has to be taken out: the time is over, or the last day was before `today`. By box and compartment."""
    late = sa.and_(deposit.c.until < today, deposit.c.state.in_([*map(str, model.COLLECTABLE), str(State.LOCKED_OUT)]))
    query = sa.select(deposit).where(
        deposit.c.tenant_id == tx.tenant_id, sa.or_(deposit.c.state == str(State.EXPIRED), late)
    )
    return await tx.all(DepositRow, query.order_by(deposit.c.box, deposit.c.compartment).limit(limit))


async def waiting_for_staff(tx: Transaction) -> list[DepositRow]:
    """Those whose citizen stands at the box and waits for somebody to look."""
    query = sa.select(deposit).where(
        deposit.c.tenant_id == tx.tenant_id, deposit.c.state == str(State.PRESENTED), deposit.c.alert == STAFF_WANTED
    )
    return await tx.all(DepositRow, query.order_by(deposit.c.updated_at))


async def waiting_for_citizens(tx: Transaction) -> list[DepositRow]:
    """Those of whom a citizen was told and which nobody has collected yet."""
    query = sa.select(deposit).where(
        deposit.c.tenant_id == tx.tenant_id,
        deposit.c.state == str(State.NOTIFIED),
        deposit.c.notified_at.is_not(None),
    )
    return await tx.all(DepositRow, query)


async def update_deposit(tx: Transaction, deposit_id: UUID, **values: Any) -> None:
    statement = sa.update(deposit).where(deposit.c.tenant_id == tx.tenant_id, deposit.c.id == deposit_id)
    await tx.execute(statement.values(**values))


async def finished_before(tx: Transaction, before: datetime) -> list[UUID]:
    query = sa.select(deposit.c.id).where(
        deposit.c.tenant_id == tx.tenant_id, deposit.c.state.in_(FINAL), deposit.c.updated_at < before
    )
    return [row.id for row in await tx.execute(query)]


async def delete_deposits(tx: Transaction, ids: Sequence[UUID]) -> None:
    await tx.execute(sa.delete(deposit).where(deposit.c.tenant_id == tx.tenant_id, deposit.c.id.in_(ids)))


# --- events and commands ------------------------------------------------------------------------------------------


async def insert_event(tx: Transaction, new: EventRow) -> None:
    await tx.insert(box_event, new)


def _of_journal(tx: Transaction, box_id: str) -> sa.ColumnElement[bool]:
    """Events of the journal that the box writes now, not of those before."""
    life = sa.select(box.c.life).where(box.c.tenant_id == tx.tenant_id, box.c.id == box_id).scalar_subquery()
    return sa.and_(box_event.c.tenant_id == tx.tenant_id, box_event.c.box == box_id, box_event.c.life == life)


async def hashes(tx: Transaction, box_id: str, sequences: Sequence[int]) -> dict[int, str]:
    """What the box reported before, by sequence."""
    query = sa.select(box_event.c.seq, box_event.c.hash).where(_of_journal(tx, box_id), box_event.c.seq.in_(sequences))
    return {row.seq: row.hash for row in await tx.execute(query)}


async def events_of(tx: Transaction, deposit_id: str) -> list[EventRow]:
    query = (
        sa.select(box_event)
        .where(box_event.c.tenant_id == tx.tenant_id, box_event.c.deposit == deposit_id)
        .order_by(box_event.c.life, box_event.c.seq)
    )
    return await tx.all(EventRow, query)


async def newest_events(tx: Transaction, box_id: str, kinds: Sequence[str], *, limit: int = 50) -> list[EventRow]:
    """Of all journals that the box ever wrote."""
    query = (
        sa.select(box_event)
        .where(box_event.c.tenant_id == tx.tenant_id, box_event.c.box == box_id, box_event.c.event.in_(kinds))
        .order_by(box_event.c.life.desc(), box_event.c.seq.desc())
        .limit(limit)
    )
    return await tx.all(EventRow, query)


# What is wrong at a line or a board until the opposite is heard. A box that starts says anew what it misses.
LASTING_FAULTS = ("bus_lost", "board_silent", "board_untrusted")
ENDS_OF_FAULTS = ("bus_found", "board_back", "started")


def _newest_of_each(
    tx: Transaction, box_id: str, kinds: Sequence[str], *by: sa.ColumnElement[Any]
) -> sa.ColumnElement[bool]:
    """The last event of `kinds` for every value of `by`."""
    present = _of_journal(tx, box_id)
    newest = sa.select(sa.func.max(box_event.c.seq)).where(present, box_event.c.event.in_(kinds))
    return sa.and_(present, box_event.c.seq.in_(newest.group_by(*by).scalar_subquery()))


async def out_of_service(tx: Transaction, box_id: str) -> list[int]:
    """Compartments that were taken out of service and not put back."""
    newest = _newest_of_each(tx, box_id, ("compartment_out", "compartment_in"), box_event.c.compartment)
    query = sa.select(box_event.c.compartment).where(newest, box_event.c.event == "compartment_out")
    return sorted(row.compartment for row in await tx.execute(query) if row.compartment is not None)


async def lasting_faults(tx: Transaction, box_id: str) -> list[str]:
    """What is wrong with a box at this moment, each once; a journal that was set back is wrong for good."""
    place = (box_event.c.data["line"], box_event.c.data["board"])
    newest = _newest_of_each(tx, box_id, (*LASTING_FAULTS, *ENDS_OF_FAULTS), *place)
    rows = [
        (row.seq, row.event) for row in await tx.execute(sa.select(box_event.c.seq, box_event.c.event).where(newest))
    ]
    started = max((seq for seq, event in rows if event == "started"), default=0)
    found = {event for seq, event in rows if seq > started}
    for_good = await tx.scalar(
        sa.select(sa.func.count()).where(_of_journal(tx, box_id), box_event.c.event == "distrusted")
    )
    return ["distrusted"] * bool(for_good) + [fault for fault in LASTING_FAULTS if fault in found]


async def insert_command(tx: Transaction, box_id: str, seq: int, body: Any, *, at: datetime) -> None:
    await tx.execute(
        sa.insert(box_command).values(tenant_id=tx.tenant_id, box=box_id, seq=seq, body=body, created_at=at)
    )


async def commands_after(tx: Transaction, box_id: str, after: int, *, limit: int) -> list[Any]:
    query = (
        sa.select(box_command.c.body)
        .where(box_command.c.tenant_id == tx.tenant_id, box_command.c.box == box_id, box_command.c.seq > after)
        .order_by(box_command.c.seq)
        .limit(limit)
    )
    return [row.body for row in await tx.execute(query)]


async def waiting_commands(tx: Transaction, box_id: str, *, deposit_id: UUID | None = None) -> list[WaitingCommand]:
    """What the box has not dealt with yet, in its order; for one deposit if it is named."""
    query = sa.select(box_command.c.body, box_command.c.created_at).where(
        box_command.c.tenant_id == tx.tenant_id, box_command.c.box == box_id
    )
    if deposit_id is not None:
        query = query.where(box_command.c.body["deposit"].astext == str(deposit_id))
    rows = await tx.execute(query.order_by(box_command.c.seq))
    return [WaitingCommand(msgspec.convert(row.body, Command), row.created_at) for row in rows]


async def in_use(tx: Transaction) -> list[tuple[str, str]]:
    """(kind, box) of everything that has not ended."""
    query = sa.select(deposit.c.kind, deposit.c.box).where(
        deposit.c.tenant_id == tx.tenant_id, deposit.c.state.not_in(FINAL)
    )
    return [(row.kind, row.box) for row in await tx.execute(query.distinct().order_by(deposit.c.kind, deposit.c.box))]


async def unfinished(tx: Transaction, box_id: str) -> list[DepositRow]:
    """Everything that was announced for a box and has not ended, by compartment."""
    query = sa.select(deposit).where(
        deposit.c.tenant_id == tx.tenant_id, deposit.c.box == box_id, deposit.c.state.not_in(FINAL)
    )
    return await tx.all(DepositRow, query.order_by(deposit.c.compartment.nulls_last(), deposit.c.id))


async def ever_handed_over(tx: Transaction, box_id: str) -> bool:
    """Whether the box ever gave a document to somebody."""
    query = sa.select(box_event.c.seq).where(
        box_event.c.tenant_id == tx.tenant_id, box_event.c.box == box_id, box_event.c.state == str(State.DONE)
    )
    return await tx.scalar(query.limit(1)) is not None


class DocumentsHandedOver:
    """How many documents the boxes gave to somebody at each point, for the figures of its host."""

    title = "Documents handed over"

    async def per_day(self, tx: Transaction, since: datetime, until: datetime) -> dict[tuple[str, date], int]:
        return await per_day(
            tx,
            box.c.point,
            box_event.c.at,
            box_event.c.tenant_id == tx.tenant_id,
            box.c.tenant_id == tx.tenant_id,
            box.c.id == box_event.c.box,
            box_event.c.state == str(State.DONE),
            box_event.c.at >= since,
            box_event.c.at < until,
        )


async def delete_commands(tx: Transaction, box_id: str, up_to: int) -> None:
    """What the box has dealt with holds a sealed number that nobody needs any more."""
    statement = sa.delete(box_command).where(
        box_command.c.tenant_id == tx.tenant_id, box_command.c.box == box_id, box_command.c.seq <= up_to
    )
    await tx.execute(statement)
