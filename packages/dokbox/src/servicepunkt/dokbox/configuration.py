"""What a box is told of its tenant, and the rows of the boxes that the tenant file names."""

from __future__ import annotations

import msgspec

from servicepunkt.core.catalogue import model as catalogue_model
from servicepunkt.core.catalogue.service import Published
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, SettingsError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import model, store, wire
from servicepunkt.dokbox.settings import countries_of, settings_of
from servicepunkt.dokbox.store import BoxRow


class SyncBoxes:
    """Rows for the boxes of the tenant file; a box that is no longer named keeps its row and its history.

    A kind or a box stays named as long as documents of it are on their way or lie there: nothing else says how they are
    handed out. Raises SettingsError.
    """

    async def applied(self, tx: Transaction) -> None:
        settings = settings_of(tx.ctx)
        used = await store.in_use(tx)
        lacking = {f"kind {kind}" for kind, _ in used if settings.document(kind) is None}
        lacking |= {f"box {box_id}" for _, box_id in used if settings.box(box_id) is None}
        if lacking:
            names = ", ".join(sorted(lacking))
            raise SettingsError(f"not everything is handed out yet, so the file has to keep {names}")
        for wanted in settings.boxes:
            await store.ensure_box(tx, BoxRow(id=wanted.id, point=wanted.point, head=model.GENESIS))


async def config_for(deployment: Deployment, ctx: TenantContext, box_id: str, published: Published) -> wire.BoxConfig:
    """What the box must know to work alone. Raises NotFoundError."""
    settings = settings_of(ctx)
    wanted = settings.box(box_id)
    point = published.catalogue.point(wanted.point) if wanted else None
    if wanted is None or point is None:
        raise NotFoundError
    async with deployment.database.tenant(ctx) as tx:
        notice_key = await deployment.keyring.notice_public_key(tx)
    return wire.BoxConfig(
        tenant=ctx.id,
        tenant_name=ctx.name,
        box=wanted.id,
        point=point.id,
        point_name=point.name,
        languages=ctx.languages,
        zone=ctx.zone,
        subdivision=ctx.subdivision,
        hours=msgspec.Raw(msgspec.json.encode(catalogue_model.point_hours(published.catalogue, point))),
        compartments=wanted.compartments,
        rows=wanted.rows,
        rows_by_reach=wanted.rows_by_reach,
        low_rows=wanted.low_rows,
        policies=settings.documents,
        countries=countries_of(ctx),
        notice_key=notice_key.hex(),
        max_attempts=settings.max_attempts,
        help_phone=point.help_phone,
        centre_url=f"{deployment.settings.public_url}/t/{ctx.slug}",
    )
