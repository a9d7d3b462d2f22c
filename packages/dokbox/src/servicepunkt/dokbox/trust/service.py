"""Take a box's key when it is enrolled, check what it signs, sign what the centre says, and keep its peppers for it."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, ServicepunktError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import store, wire
from servicepunkt.dokbox.service import queue_command
from servicepunkt.dokbox.trust import store as trust
from servicepunkt.dokbox.trust.store import TrustRow
from servicepunkt.dokbox.vault.model import KEY_BYTES, is_signed, seal_to
from servicepunkt.web.devices.model import Device, DeviceRefusedError

FIELD = "peppers"
UNSIGNED = "unsigned"  # a trouble that the box cannot tell of


class NotSignedByBoxError(ServicepunktError):
    """The token is right and the signature is not: something speaks in the box's name."""

    code = "SP3125"
    status = 403
    staff = "What came in the name of the box is not signed with the key that it was enrolled with."
    next_step = "If the box computer was set up anew, enrol it again; otherwise revoke its device and look into it."


class BoxNotRenewedError(ServicepunktError):
    """Another computer is enrolled for a box whose documents the first one knows of."""

    code = "SP3127"
    status = 409
    staff = "Another computer speaks for a box whose journal is stored here; it does not know what lies in the box."
    next_step = "Empty the box with the key, and say so on the box's page under “Another computer”; then enrol it anew."


class StalePeppersError(ServicepunktError):
    """A box whose journal is older than one that the centre has seen gets no pepper."""

    code = "SP3126"
    status = 409
    staff = "The box asks for the keys of its codes with a journal that was set back."
    next_step = "Take the box out of service and look into it; `servicepunkt box verify` checks its journal."


async def exchange_keys(deployment: Deployment, ctx: TenantContext, device: Device, key: bytes) -> wire.CentreKeys:
    """Remember the key of a box, and which device it is now.

    Raises NotSignedByBoxError for another key of the same device, BoxNotRenewedError for another computer than the one
    whose journal is stored here.
    """
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        box = await store.find_box(tx, device.target, lock=True)
        if box is None:
            raise NotFoundError
        known = await trust.find(tx, device.target, lock=True)
        if known is not None and known.signing_key != key:
            if known.device == device.id:
                raise NotSignedByBoxError
            if box.acknowledged or await store.unfinished(tx, box.id):
                raise BoxNotRenewedError
            await forget(deployment, tx, box.id)
            known = None
        if known is None or known.device != device.id:
            row = TrustRow(box=device.target, device=device.id, signing_key=key)
            await trust.put(tx, await _moved(deployment, tx, known, row) if known else row)
            subject = f"box:{device.target}"
            await audit.record(
                tx, at=now, actor=f"device:{device.id}", action="box.keys", subject=subject, device=str(device.id)
            )
        public = await deployment.keyring.signing_public_key(tx)
    return wire.CentreKeys(tenant=ctx.id, box=device.target, signing_key=public.hex())


async def _moved(deployment: Deployment, tx: Transaction, old: TrustRow, new: TrustRow) -> TrustRow:
    """The same computer was enrolled again: its peppers are kept under the new device."""
    peppers = await _open(deployment, tx, old)
    if peppers is not None:
        sealed = await deployment.keyring.seal(tx, new.device, msgspec.json.encode(peppers), field=FIELD)
        new = msgspec.structs.replace(new, peppers=sealed, asked_at=old.asked_at)
    await deployment.keyring.erase(tx, old.device)
    return new


async def forget(deployment: Deployment, tx: Transaction, box_id: str) -> None:
    """Nothing that this box's computer says is believed any more, and what was kept for it is gone."""
    known = await trust.find(tx, box_id, lock=True)
    if known is not None:
        await deployment.keyring.erase(tx, known.device)
        await trust.delete(tx, box_id)


async def require_known(deployment: Deployment, ctx: TenantContext, device: Device) -> TrustRow:
    """The keys of the box. Raises NotSignedByBoxError for a device that is not the box, or has not told its key yet."""
    async with deployment.database.tenant(ctx) as tx:
        known = await trust.find(tx, device.target)
    if known is None or known.device != device.id:
        raise NotSignedByBoxError
    return known


async def require_signed(
    deployment: Deployment, ctx: TenantContext, device: Device, *, purpose: wire.Purpose, body: bytes, signature: str
) -> None:
    """Raises NotSignedByBoxError when the box that is enrolled did not sign this."""
    known = await require_known(deployment, ctx, device)
    said = wire.signed(purpose, tenant=ctx.id, box=device.target, body=body)
    if not is_signed(known.signing_key, signature, said):
        raise NotSignedByBoxError


async def note_unsigned(deployment: Deployment, ctx: TenantContext, device: Device) -> None:
    """Tell staff that what comes in the box's name is not signed with its key; until it is again."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_box(tx, device.target, lock=True)
        if row is None or UNSIGNED in row.troubles:
            return
        await store.update_box(tx, row.id, troubles=[*row.troubles, UNSIGNED])
        subject = f"box:{row.id}"
        await audit.record(tx, at=now, actor=f"device:{device.id}", action="box.unsigned", subject=subject)


async def sign(
    deployment: Deployment, ctx: TenantContext, device: Device, *, purpose: wire.Purpose, body: bytes, nonce: str
) -> str:
    """The centre's signature under an answer, in hexadecimal."""
    said = wire.signed(purpose, tenant=ctx.id, box=device.target, body=body, nonce=nonce)
    async with deployment.database.tenant(ctx) as tx:
        return (await deployment.keyring.sign(tx, said)).hex()


async def peppers_for(
    deployment: Deployment, ctx: TenantContext, device: Device, asked: wire.PepperRequest
) -> wire.SealedPeppers:
    """The box's peppers, sealed to it; made at the first request, and as it asks. Raises StalePeppersError.

    An old request that somebody sends again erases nothing: what it asks with is older than what was asked before.
    """
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        box = await store.find_box(tx, device.target, lock=True)
        row = await trust.find(tx, device.target, lock=True)
        if box is None or row is None or row.device != device.id or device.public_key is None:
            raise DeviceRefusedError
        if asked.seq < max(box.acknowledged, row.asked_at):
            raise StalePeppersError
        before = await _open(deployment, tx, row)
        after = _after(deployment, before, asked)
        if after != before:
            plain = msgspec.json.encode(after)
            sealed = await deployment.keyring.seal(tx, row.device, plain, field=FIELD)
            row = msgspec.structs.replace(row, peppers=sealed)
            made, kept = ",".join(sorted(after.peppers)), sorted(before.peppers) if before else []
            await audit.record(
                tx,
                at=now,
                actor=f"box:{device.target}",
                action="box.peppers",
                subject=f"box:{device.target}",
                kids=made,
                before=",".join(kept),
            )
        await trust.put(tx, msgspec.structs.replace(row, asked_at=asked.seq))
    context = wire.pepper_context(ctx.id, device.target)
    sealed_to_box = seal_to(device.public_key, msgspec.json.encode(after), context=context)
    return wire.SealedPeppers(sealed=sealed_to_box.hex(), acknowledged=box.acknowledged, head=box.head)


async def _open(deployment: Deployment, tx: Transaction, row: TrustRow) -> wire.Peppers | None:
    if row.peppers is None:
        return None
    plain = await deployment.keyring.unseal(tx, row.device, row.peppers, field=FIELD)
    return msgspec.json.decode(plain, type=wire.Peppers)


def _after(deployment: Deployment, before: wire.Peppers | None, asked: wire.PepperRequest) -> wire.Peppers:
    """What is kept after a request: the newest always, a new one where it follows the newest."""

    def fresh() -> str:
        return deployment.randomness(KEY_BYTES).hex()

    if before is None:
        return wire.Peppers(locator_key=fresh(), peppers={"1": fresh()})
    newest = max(before.peppers, key=int)
    keep = before.peppers.keys() if asked.keep is None else {*asked.keep, newest}
    peppers = {kid: key for kid, key in before.peppers.items() if kid in keep}
    if asked.make is not None and int(asked.make) == int(newest) + 1 and len(peppers) < wire.MAX_PEPPERS:
        peppers[asked.make] = fresh()
    return wire.Peppers(locator_key=before.locator_key, peppers=peppers)


async def note_condition(deployment: Deployment, ctx: TenantContext, device: Device, said: wire.Condition) -> None:
    """Remember how the box says that it is. Raises NotSignedByBoxError for what it said some time ago."""
    now = deployment.clock.now()
    if abs(now - said.heard) > timedelta(seconds=wire.CONDITION_TTL_SECONDS):
        raise NotSignedByBoxError
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_box(tx, device.target, lock=True)
        if row is None:
            raise NotFoundError
        await store.update_box(tx, row.id, vault=said.vault, troubles=list(said.troubles), seen_at=now)
        if tuple(row.troubles) != said.troubles:
            subject, troubles = f"box:{row.id}", ",".join(said.troubles)
            await audit.record(tx, at=now, actor=subject, action="box.condition", subject=subject, troubles=troubles)


async def order_rotation(deployment: Deployment, ctx: TenantContext, *, actor: str, box_id: str) -> None:
    """Have the box make its next codes with a new pepper. Raises NotFoundError."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        await queue_command(tx, box_id, "rotate_pepper", at=now, actor=actor)
        await audit.record(tx, at=now, actor=actor, action="box.rotate_pepper", subject=f"box:{box_id}")
