"""Box and centre over HTTP, signed: enrolment, peppers from the centre, revocation, and who is not believed."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import AsyncClient, Response

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock
from servicepunkt.dokbox import store, wire
from servicepunkt.dokbox.controller.channel import ForkedError, RefusedByCentreError
from servicepunkt.dokbox.controller.link import Link
from servicepunkt.dokbox.health import BoxesSeen
from servicepunkt.dokbox.testing import Bench
from servicepunkt.dokbox.trust import service as trust
from servicepunkt.dokbox.trust import store as trust_store
from servicepunkt.dokbox.vault import RemoteVault
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices import store as device_store
from servicepunkt.web.server import serving


async def enrol(deployment: Deployment, ctx: TenantContext, bench: Bench) -> str:
    """A device for box-1; returns its token."""
    _, code = await devices.announce(deployment, ctx, actor="test", kind="box", target="box-1", label="Box")
    _, made = await devices.enrol(deployment, ctx, code=code, kind="box", public_key=bench.vault.public_key)
    return made


@asynccontextmanager
async def calling(deployment: Deployment, token: str) -> AsyncIterator[AsyncClient]:
    async with serving(create_app(deployment), host="127.0.0.1", port=0) as port:
        headers = {"authorization": f"Bearer {token}"}
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}/t/alpha", headers=headers) as client:
            yield client


@pytest.fixture
async def client(deployment: Deployment, token: str) -> AsyncIterator[AsyncClient]:
    async with calling(deployment, token) as made:
        yield made


async def post(client: AsyncClient, purpose: wire.Purpose, message: object, key: Ed25519PrivateKey) -> Response:
    body = msgspec.json.encode(message)
    said = wire.signed(purpose, tenant=1, box="box-1", body=body)
    headers = {"content-type": "application/json", wire.SIGNATURE: key.sign(said).hex()}
    return await client.post(f"/api/v1/box/{purpose}", content=body, headers=headers)


async def test_a_week_of_signed_talk(client: AsyncClient, bench: Bench, deployment: Deployment) -> None:
    link = Link(bench.controller, bench.journal, client)
    bench.controller.ledger.note("started")
    await link.fetch_config()
    await link.fetch_config()
    assert bench.controller.config is not None
    assert bench.controller.config.box == "box-1"
    assert await link.push_events()
    assert not await link.push_events()
    await link.tell_condition()


async def test_a_token_alone_says_nothing_in_the_boxs_name(
    client: AsyncClient, bench: Bench, clock: FixedClock
) -> None:
    await Link(bench.controller, bench.journal, client).fetch_config()
    thief = Ed25519PrivateKey.generate()
    entry = bench.controller.ledger
    entry.note("started")
    events = wire.Events(events=[wire.SentEntry(entry=next(bench.journal.entries()))])
    for purpose, message in (
        ("events", events),
        ("condition", wire.Condition(vault="tpm", heard=clock.now())),
        ("peppers", wire.PepperRequest(seq=0, head="0" * 64)),
    ):
        assert (await post(client, purpose, message, thief)).json()["code"] == "SP3125"
        unsigned = await client.post(f"/api/v1/box/{purpose}", content=msgspec.json.encode(message))
        assert unsigned.status_code == 403
    again = await client.post("/api/v1/box/keys", json={"signing_key": "ab" * 32})
    assert again.json()["code"] == "SP3125"


async def test_a_box_that_was_not_heard_of_its_key_is_refused(client: AsyncClient, clock: FixedClock) -> None:
    said = wire.Condition(vault="file", heard=clock.now())
    answer = await post(client, "condition", said, Ed25519PrivateKey.generate())
    assert answer.status_code == 403


@pytest.mark.parametrize("body", [b"", b"{}", b'{"signing_key": "x"}', b"[" * 2000, b'{"signing_key": 1e999}'])
@pytest.mark.parametrize("purpose", ["keys", "peppers", "condition"])
async def test_nonsense_is_refused(client: AsyncClient, purpose: str, body: bytes) -> None:
    answer = await client.post(f"/api/v1/box/{purpose}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 403, 422)


class Remote(Bench):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, vault=lambda: RemoteVault(folder / "vault", secrets.token_bytes))


@pytest.fixture
async def remote(tmp_path: Path) -> AsyncIterator[Remote]:
    made = Remote(tmp_path / "remote")
    await made.look()
    yield made
    made.put_away()


async def test_peppers_from_the_centre_over_starts_and_rotations(
    deployment: Deployment, tenant: TenantContext, remote: Remote
) -> None:
    token = await enrol(deployment, tenant, remote)
    async with calling(deployment, token) as client:
        await Link(remote.controller, remote.journal, client).fetch_peppers()
        first, locators = remote.vault.pepper("1"), remote.vault.locator_key
        remote.controller.tick()
        await remote.restart()
        link = Link(remote.controller, remote.journal, client)
        assert remote.controller.troubles == ("pepper",)
        await link.tell_condition()
        async with deployment.database.tenant(tenant) as tx:
            seen, words = await BoxesSeen("box-1").check(tx)
            row = await trust_store.find(tx, "box-1")
        assert (seen, "no key for its codes" in words) == (False, True)
        assert row is not None
        assert row.peppers is not None
        assert first not in row.peppers
        assert first.hex().encode() not in row.peppers
        await link.fetch_peppers()
        assert remote.controller.healthy
        assert (remote.vault.pepper("1"), remote.vault.locator_key) == (first, locators)
        remote.vault.rotate()
        await link.fetch_peppers()
        assert (remote.vault.kid, remote.vault.kids) == ("2", {"1", "2"})
        remote.controller.tick()
        await link.fetch_peppers()
        await remote.restart()
        await Link(remote.controller, remote.journal, client).fetch_peppers()
        assert remote.vault.kids == {"2"}


async def test_a_journal_that_was_set_back_gets_no_pepper(
    deployment: Deployment, tenant: TenantContext, remote: Remote
) -> None:
    token = await enrol(deployment, tenant, remote)
    async with calling(deployment, token) as client:
        link = Link(remote.controller, remote.journal, client)
        await link.fetch_peppers()
        async with deployment.database.tenant(tenant) as tx:
            await store.update_box(tx, "box-1", acknowledged=50)
        await remote.restart()
        with pytest.raises(ForkedError):
            await Link(remote.controller, remote.journal, client).fetch_peppers()
    assert remote.controller.troubles == ("distrusted", "pepper")


async def test_an_old_request_that_is_sent_again_erases_nothing(
    deployment: Deployment, tenant: TenantContext, remote: Remote
) -> None:
    await enrol(deployment, tenant, remote)
    async with deployment.database.tenant(tenant) as tx:
        device = await devices.active(tx, "box", "box-1")
    assert device is not None
    await trust.exchange_keys(deployment, tenant, device, remote.vault.signing_key)
    old = wire.PepperRequest(seq=1, head="0" * 64, keep=("1",))
    await trust.peppers_for(deployment, tenant, device, old)
    for seq, make in ((2, "2"), (3, "3")):
        request = wire.PepperRequest(seq=seq, head="0" * 64, keep=("1", "2"), make=make)
        await trust.peppers_for(deployment, tenant, device, request)
    with pytest.raises(trust.StalePeppersError):
        await trust.peppers_for(deployment, tenant, device, old)
    again = await trust.peppers_for(deployment, tenant, device, wire.PepperRequest(seq=3, head="0" * 64))
    context = wire.pepper_context(tenant.id, "box-1")
    opened = msgspec.json.decode(remote.vault.unseal(bytes.fromhex(again.sealed), context=context), type=wire.Peppers)
    assert set(opened.peppers) == {"1", "2", "3"}


async def test_a_revoked_box_gets_nothing_and_its_peppers_die_with_the_next(
    deployment: Deployment, tenant: TenantContext, remote: Remote, tmp_path: Path
) -> None:
    token = await enrol(deployment, tenant, remote)
    async with calling(deployment, token) as client:
        link = Link(remote.controller, remote.journal, client)
        await link.fetch_peppers()
        async with deployment.database.tenant(tenant) as tx:
            [device] = [found for found in await device_store.all_devices(tx) if found.target == "box-1"]
            before = await trust_store.find(tx, "box-1")
        await devices.revoke(deployment, tenant, actor="test", device_id=device.id)
        await remote.restart()
        link = Link(remote.controller, remote.journal, client)
        for call in (link.fetch_peppers, link.fetch_config, link.pull_commands, link.tell_condition):
            with pytest.raises(RefusedByCentreError):
                await call()
    assert not remote.controller.healthy
    replacement = Remote(tmp_path / "replacement")
    async with calling(deployment, await enrol(deployment, tenant, replacement)) as client:
        await Link(replacement.controller, replacement.journal, client).fetch_peppers()
    assert replacement.vault.ready
    assert before is not None
    async with deployment.database.tenant(tenant) as tx:
        with pytest.raises(UnreadableError):
            await deployment.keyring.unseal(tx, before.device, before.peppers or b"", field=trust.FIELD)
    replacement.put_away()


async def test_tenants_do_not_read_each_others_keys(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, remote: Remote
) -> None:
    await enrol(deployment, tenant, remote)
    async with deployment.database.tenant(tenant) as tx:
        device = await devices.active(tx, "box", "box-1")
    assert device is not None
    await trust.exchange_keys(deployment, tenant, device, remote.vault.signing_key)
    async with deployment.database.tenant(other) as tx:
        assert await trust_store.find(tx, "box-1") is None
        there = await deployment.keyring.signing_public_key(tx)
    async with deployment.database.tenant(tenant) as tx:
        assert await deployment.keyring.signing_public_key(tx) != there


async def test_a_rotation_is_ordered_from_the_centre(
    client: AsyncClient, bench: Bench, deployment: Deployment, tenant: TenantContext
) -> None:
    await trust.order_rotation(deployment, tenant, actor="test", box_id="box-1")
    await Link(bench.controller, bench.journal, client).pull_commands()
    assert bench.vault.kid == "2"
