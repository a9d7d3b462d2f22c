"""Lines that stay open: made once, opened without a message, left when a tenant file no longer names them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import OperationalError

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.ids import new_id
from servicepunkt.core.notices import provider_store, receipts, service, store
from servicepunkt.core.notices.channels.rest import RestChannel
from servicepunkt.core.notices.channels.smpp import pdus
from servicepunkt.core.notices.channels.smpp.channel import SmppChannel
from servicepunkt.core.notices.channels.smtp import SmtpChannel
from servicepunkt.core.notices.model import Message
from servicepunkt.core.notices.provider_store import Attempt
from servicepunkt.core.notices.providers import lines_open
from servicepunkt.core.notices.settings import NoticeSettings
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant


class Centre:
    """As much of a message centre as a bind needs; `deliver` sends a receipt."""

    def __init__(self) -> None:
        self.binds = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.answers: asyncio.Queue[int] = asyncio.Queue()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readexactly(16)
                length, command, status, sequence = pdus.HEADER.unpack(head)
                await reader.readexactly(length - 16)
                if command == 0x09:
                    self.binds += 1
                    writer.write(pdus.HEADER.pack(17, 0x80000009, 0, sequence) + b"\0")
                elif command == 0x04:
                    answer = b"0000A3F2\0"
                    writer.write(pdus.HEADER.pack(16 + len(answer), 0x80000004, 0, sequence) + answer)
                elif command == 0x80000005:
                    await self.answers.put(status)
                elif command == 0x06:
                    writer.write(pdus.HEADER.pack(16, 0x80000006, 0, sequence))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def deliver(self, reference: str) -> None:
        text = f"id:{reference} stat:DELIVRD".encode()
        self.writers[-1].write(
            pdus.encode("deliver_sm", 1, esm_class=4, short_message=text, source_addr="1", destination_addr="2")
        )


@pytest.fixture
async def centre() -> AsyncIterator[Centre]:
    made = Centre()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    for writer in made.writers:
        writer.close()


async def town(deployment: Deployment, urls: Urls, centre: Centre, slug: str = "alpha", **more: Any) -> TenantContext:
    folder = deployment.settings.home / "secrets" / slug
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "password").write_text("geheim")
    provider = {
        "name": "centre", "protocol": "smpp", "sender": "STADT", "host": "127.0.0.1", "port": centre.port,
        "tls": False, "system_id": "punkt", "password": "file:password", **more,
    }  # fmt: skip
    section = {"sms": "centre", "provider": [provider]}
    return await make_tenant(deployment, urls.owner, slug, settings={"notices": section})


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - a counter offers no event
            await asyncio.sleep(0.005)


async def test_a_bind_is_there_before_the_first_message_and_comes_back(
    deployment: Deployment, urls: Urls, centre: Centre
) -> None:
    await town(deployment, urls, centre)
    async with lines_open(deployment, look_every=0.01):
        await until(lambda: centre.binds == 1)
        centre.writers[0].close()
        await until(lambda: centre.binds == 2)


async def test_two_towns_with_a_provider_of_one_name_have_a_line_each(
    deployment: Deployment, urls: Urls, centre: Centre
) -> None:
    for slug in ("alpha", "beta"):
        await town(deployment, urls, centre, slug)
    for _ in range(2):
        await deployment.providers.open_lines(deployment)
        assert centre.binds == 2


async def test_a_line_that_cannot_be_opened_stops_no_other(
    deployment: Deployment, urls: Urls, centre: Centre, unused_tcp_port: int
) -> None:
    await make_tenant(
        deployment, urls.owner, "aaa",
        settings={"notices": {"sms": "x", "provider": [
            {"name": "x", "protocol": "smpp", "sender": "X", "host": "127.0.0.1", "port": unused_tcp_port,
             "tls": False, "system_id": "x", "password": "file:none"},
            {"name": "y", "protocol": "gsm", "device": "/dev/null-modem"},
        ]}},
    )  # fmt: skip
    await town(deployment, urls, centre)
    await deployment.providers.open_lines(deployment)
    assert centre.binds == 1


async def test_a_fault_in_one_line_or_in_the_look_at_all_ends_no_other(
    deployment: Deployment, urls: Urls, centre: Centre, monkeypatch: pytest.MonkeyPatch, logged: Any
) -> None:
    broken = {"name": "x", "protocol": "smpp", "sender": "X", "host": "h", "system_id": "x", "password": "file:x"}
    await make_tenant(deployment, urls.owner, "aaa", settings={"notices": {"sms": "x", "provider": [broken]}})
    await town(deployment, urls, centre)
    open_line, every = SmppChannel.open, deployment.directory.all
    faults = 0

    async def breaks(self: SmppChannel) -> None:
        if self.name == "x":
            raise UnicodeError
        await open_line(self)

    async def fails_once() -> Any:
        nonlocal faults
        faults += 1
        if faults == 1:
            raise ZeroDivisionError
        return await every()

    monkeypatch.setattr(SmppChannel, "open", breaks)
    monkeypatch.setattr(deployment.directory, "all", fails_once)
    async with lines_open(deployment, look_every=0.01):
        await until(lambda: centre.binds == 1)
        centre.writers[0].close()
        await until(lambda: centre.binds == 2)
    told = {(line["event"], line["error_type"]) for line in logged() if "error_type" in line}
    assert told == {("provider_lines_not_looked_at", "ZeroDivisionError"), ("provider_line_fault", "UnicodeError")}


async def test_channels_are_kept_until_their_settings_change(
    deployment: Deployment, urls: Urls, centre: Centre
) -> None:
    ctx = await town(deployment, urls, centre)
    (provider,) = ctx.section("notices", NoticeSettings).provider
    first = deployment.providers.channel(deployment, ctx, provider)
    assert deployment.providers.channel(deployment, ctx, provider) is first
    changed = await town(deployment, urls, centre, sender="ANDERE")
    (other,) = changed.section("notices", NoticeSettings).provider
    assert deployment.providers.channel(deployment, changed, other) is not first
    await make_tenant(deployment, urls.owner, "alpha", settings={})
    await deployment.providers.open_lines(deployment)
    assert deployment.providers._made == {}


async def test_every_protocol_becomes_its_channel(deployment: Deployment, urls: Urls, centre: Centre) -> None:
    ctx = await town(deployment, urls, centre)
    section = {
        "provider": [
            {"name": "a", "protocol": "rest", "profile": "seven", "sender": "X", "key": "file:password"},
            {"name": "b", "protocol": "smtp", "sender": "a@example.org", "host": "mail.example.org"},
            {"name": "c", "protocol": "smpp", "sender": "X", "host": "h", "system_id": "x", "password": "file:x"},
            {"name": "d", "protocol": "gsm", "device": "/dev/null-modem"},
        ]
    }
    settings = deployment.directory.context(
        {"id": 9, "slug": "alpha", "name": "", "plugins": [], "state": "live", "locale": "de", "languages": [],
         "zone": "Europe/Berlin", "subdivision": "", "settings": {"notices": section}}
    ).section("notices", NoticeSettings)  # fmt: skip
    made = [deployment.providers.channel(deployment, ctx, provider) for provider in settings.provider]
    kinds = [type(channel).__name__ for channel in made]
    assert kinds == ["RestChannel", "SmtpChannel", "SmppChannel", "GsmChannel"]
    assert [isinstance(made[0], RestChannel), isinstance(made[1], SmtpChannel)] == [True, True]
    assert isinstance(made[2], SmppChannel)
    assert [channel.kind for channel in made] == ["sms", "email", "sms", "sms"]


async def test_a_receipt_is_acknowledged_when_it_is_stored_and_only_then(
    deployment: Deployment, urls: Urls, centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = await town(deployment, urls, centre)
    await deployment.providers.open_lines(deployment)
    async with deployment.database.tenant(ctx) as tx:
        at = deployment.clock.now()
        notice = await service.create(
            tx, deployment.keyring, at=at, case=uuid4(), kind="sms", recipient="+4915112345678", template="x",
            locale="de", params={},
        )  # fmt: skip
        await store.update(tx, notice.id, at=at, state="sent", provider="centre", reference="m1", sent_at=at)
        await provider_store.add_attempt(
            tx,
            Attempt(id=new_id(), notice=notice.id, provider="centre", at=at, outcome="accepted", reference="m1"),
        )
    with monkeypatch.context() as patched:

        async def fails(*_: Any) -> None:
            raise OperationalError("the database is away", None, Exception())

        patched.setattr(receipts, "take", fails)
        centre.deliver("m1")
        assert await centre.answers.get() == pdus.TRY_AGAIN
    centre.deliver("m1")
    assert await centre.answers.get() == pdus.OK
    async with deployment.database.tenant(ctx) as tx:
        found = await store.find(tx, notice.id)
    assert found is not None
    assert found.state == "delivered"


@pytest.mark.parametrize(("receipt_ids", "reference"), [("decimal", "a3f2"), ("same", "0000A3F2")])
async def test_a_centre_that_counts_is_compared_by_the_number(
    deployment: Deployment, urls: Urls, centre: Centre, receipt_ids: str, reference: str
) -> None:
    ctx = await town(deployment, urls, centre, receipt_ids=receipt_ids)
    (provider,) = ctx.section("notices", NoticeSettings).provider
    channel = deployment.providers.channel(deployment, ctx, provider)
    assert await channel.send(Message("01a1", "+4915112345678", "Code 123456")) == reference


async def test_rubbish_from_a_centre_ends_the_line_and_nothing_else(
    deployment: Deployment, urls: Urls, centre: Centre, tmp_path: Path
) -> None:
    await town(deployment, urls, centre)
    await deployment.providers.open_lines(deployment)
    centre.writers[0].write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await asyncio.sleep(0.05)
    await deployment.providers.open_lines(deployment)
    assert centre.binds == 2
