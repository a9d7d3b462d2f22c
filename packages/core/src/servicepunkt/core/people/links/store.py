"""Tables of the platform: links, codes, tickets. They hold numbers of tenants, ids and digests; no name, no login."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.db.schema import Instant, platform_table
from servicepunkt.core.people.links.model import LinkCode, LinkSide, SwitchTicket

S = TypeVar("S", bound=msgspec.Struct)

# The column is not called tenant_id: by that name tables are known that row-level security guards.
account_link = platform_table(
    "account_link",
    sa.Column("link", sa.Uuid, primary_key=True),
    sa.Column("tenant", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", sa.Uuid, nullable=False),
    sa.Index("ix_account_link_tenant_account", "tenant", "account"),
)

account_link_code = platform_table(
    "account_link_code",
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("tenant", sa.Integer, nullable=False),
    sa.Column("account", sa.Uuid, nullable=False),
    sa.Column("until", Instant, nullable=False),
)

account_switch = platform_table(
    "account_switch",
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("link", sa.Uuid, nullable=False),
    sa.Column("tenant", sa.Integer, nullable=False),
    sa.Column("account", sa.Uuid, nullable=False),
    sa.Column("browser", sa.LargeBinary, nullable=False),
    sa.Column("proof", sa.Text, nullable=False),
    sa.Column("began_at", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),
)

TABLES = (account_link, account_link_code, account_switch)


async def put_code(connection: AsyncConnection, new: LinkCode, now: datetime) -> None:
    """An account has one code at the most; those that have ended go."""
    of = account_link_code.c
    mine = sa.and_(of.tenant == new.tenant, of.account == new.account)
    await connection.execute(sa.delete(account_link_code).where(sa.or_(mine, of.until < now)))
    await connection.execute(sa.insert(account_link_code).values(**msgspec.structs.asdict(new)))


async def take_code(connection: AsyncConnection, key: bytes) -> LinkCode | None:
    """Of several who enter it at the same moment one gets it."""
    return await _taken(connection, account_link_code, key, LinkCode)


async def put_ticket(connection: AsyncConnection, new: SwitchTicket, now: datetime) -> None:
    await connection.execute(sa.delete(account_switch).where(account_switch.c.until < now))
    await connection.execute(sa.insert(account_switch).values(**msgspec.structs.asdict(new)))


async def take_ticket(connection: AsyncConnection, key: bytes) -> SwitchTicket | None:
    """Of several who show it at the same moment one gets it."""
    return await _taken(connection, account_switch, key, SwitchTicket)


async def _taken(connection: AsyncConnection, table: sa.Table, key: bytes, kind: type[S]) -> S | None:
    row = (await connection.execute(sa.delete(table).where(table.c.key == key).returning(table))).first()
    return kind(**row._mapping) if row else None


async def put(connection: AsyncConnection, sides: Sequence[LinkSide]) -> None:
    await connection.execute(sa.insert(account_link), [msgspec.structs.asdict(one) for one in sides])


async def sides(connection: AsyncConnection, link: UUID) -> list[LinkSide]:
    """Both sides in the order of tenants; nothing where there is no such link (any more)."""
    query = sa.select(account_link).where(account_link.c.link == link).order_by(account_link.c.tenant)
    return [LinkSide(**row._mapping) for row in await connection.execute(query)]


async def of_account(connection: AsyncConnection, tenant: int, account: UUID) -> list[LinkSide]:
    """The other sides of this account's links, the oldest first."""
    mine, other = account_link.alias(), account_link.alias()
    query = sa.select(other).join(mine, sa.and_(mine.c.link == other.c.link, mine.c.tenant != other.c.tenant))
    query = query.where(mine.c.tenant == tenant, mine.c.account == account).order_by(other.c.link)
    return [LinkSide(**row._mapping) for row in await connection.execute(query)]


async def delete(connection: AsyncConnection, link: UUID) -> None:
    await connection.execute(sa.delete(account_link).where(account_link.c.link == link))


async def forget(connection: AsyncConnection, tenant: int) -> None:
    """The tenant is deleted: its links end on both sides, and nothing is left that waits."""
    gone = sa.select(account_link.c.link).where(account_link.c.tenant == tenant)
    await connection.execute(sa.delete(account_link).where(account_link.c.link.in_(gone)))
    for table in (account_link_code, account_switch):
        await connection.execute(sa.delete(table).where(table.c.tenant == tenant))
