"""Notices from the transaction that causes them to the provider, whatever happens in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, NotFoundError, SettingsError
from servicepunkt.core.keys import model as keys
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.metrics import NOTICES
from servicepunkt.core.notices import service, settling, store
from servicepunkt.core.notices.model import DeliveryError, Message, Notice, NoticeChannel, NoticeTemplate
from servicepunkt.core.notices.service import MAX_ATTEMPTS, channels_for, deliver, supersede, template_for
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, RecordingChannel, make_tenant, open_deployment

PHONE, CODE = "+4915112345678", "482913"
CASE = uuid4()


class Listener:
    """Remembers what it was told, and what the notice looked like within that transaction."""

    def __init__(self) -> None:
        self.told: list[tuple[UUID, str, bool]] = []
        self.failure: Exception | None = None

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None:
        stored = await store.find(tx, notice.id)
        assert stored is not None
        assert stored.state == notice.state
        self.told.append((notice.case, notice.state, accepted))
        if self.failure:
            raise self.failure

    async def undelivered(self, tx: Transaction, notice: Notice) -> None:
        stored = await store.find(tx, notice.id)
        assert stored is not None
        assert stored.state == notice.state
        self.told.append((notice.case, notice.state, False))


class Post:
    """A plugin that brings a channel, a template and a listener."""

    def __init__(self) -> None:
        self.channel = RecordingChannel()
        self.listener = Listener()

    def hooks(self) -> dict[str, Any]:
        template = NoticeTemplate("pickup", {"de": "{box}: Code {code}", "en": "{box}: code {code}"})
        return {
            "notice_channels": lambda ctx: (self.channel,),
            "notice_templates": lambda ctx: (template,),
            "notice_listeners": lambda ctx: (self.listener,),
        }


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def hooks(post: Post) -> dict[str, Any]:
    return post.hooks()


@pytest.fixture
async def alpha(running: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(running, urls.owner, "alpha", settings={"notices": {"sms": "recording"}})


async def create(
    running: Deployment,
    ctx: TenantContext,
    *,
    case: UUID = CASE,
    locale: str = "de",
    sealed: bytes = b'{"code": "%s"}' % CODE.encode(),
) -> Notice:
    async with running.database.tenant(ctx) as tx:
        public = await running.keyring.notice_public_key(tx)
        return await service.create(
            tx,
            running.keyring,
            at=running.clock.now(),
            case=case,
            kind="sms",
            recipient=PHONE,
            template="pickup",
            locale=locale,
            params={"box": "DokBox 1"},
            sealed=keys.seal_to(public, sealed, context=f"deposit:{case}"),
            sealed_context=f"deposit:{case}",
        )


async def read(running: Deployment, ctx: TenantContext, notice: Notice) -> Notice:
    async with running.database.tenant(ctx) as tx:
        found = await store.find(tx, notice.id)
    assert found is not None
    return found


async def send(running: Deployment, ctx: TenantContext, notice: Notice) -> None:
    await deliver.function(running, ctx, notice_id=str(notice.id))


async def channel_for(running: Deployment, ctx: TenantContext, kind: str) -> NoticeChannel:
    async with running.database.tenant(ctx) as tx:
        return (await channels_for(running, tx, kind))[0]


def counted(state: str) -> float:
    return float(NOTICES.labels(channel="sms", state=state)._value.get())


# --- creating -------------------------------------------------------------------------------------------------


async def test_a_notice_holds_neither_number_nor_code_in_the_clear(
    running: Deployment, alpha: TenantContext, urls: Urls
) -> None:
    notice = await create(running, alpha)
    with psycopg.connect(conninfo(urls.owner)) as connection:
        connection.execute("SET app.tenant = 1")
        rows = connection.execute("SELECT * FROM notice").fetchall()
        jobs = connection.execute("SELECT task_name, args, lock FROM procrastinate_jobs").fetchall()
    written = repr(rows) + repr(jobs)
    assert len(rows) == 1
    for secret in (PHONE, PHONE[3:], CODE):
        assert secret not in written
    assert jobs == [("core.notice.deliver", {"tenant_id": 1, "notice_id": str(notice.id)}, f"1/notice/{notice.id}")]


async def test_a_notice_and_its_job_vanish_with_their_transaction(
    running: Deployment, alpha: TenantContext, urls: Urls
) -> None:
    async def interrupted() -> None:
        async with running.database.tenant(alpha) as tx:
            await service.create(
                tx,
                running.keyring,
                at=running.clock.now(),
                case=CASE,
                kind="sms",
                recipient=PHONE,
                template="pickup",
                locale="de",
                params={},
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()
    with psycopg.connect(conninfo(urls.owner)) as connection:
        connection.execute("SET app.tenant = 1")
        assert connection.execute("SELECT count(*) FROM notice").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)


# --- delivering -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "text"),
    [("de", f"DokBox 1: Code {CODE}"), ("en", f"DokBox 1: code {CODE}"), ("tr", f"DokBox 1: Code {CODE}")],
)
async def test_a_notice_is_sent_in_the_language_of_its_person(
    running: Deployment, alpha: TenantContext, post: Post, locale: str, text: str
) -> None:
    notice = await create(running, alpha, locale=locale)
    await send(running, alpha, notice)
    assert post.channel.messages == [Message(str(notice.id), PHONE, text, subject="Alpha")]


async def test_a_notice_is_sent_once_however_often_its_job_runs(
    running: Deployment, alpha: TenantContext, post: Post, clock: FixedClock
) -> None:
    notice, before = await create(running, alpha), counted("sent")
    clock.forward(seconds=5)
    for _ in range(3):
        await send(running, alpha, notice)
    assert len(post.channel.messages) == 1
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts, found.provider) == ("sent", 1, "recording")
    assert (found.reference, found.sealed, found.updated_at) == (str(notice.id), None, clock.now())
    assert post.listener.told == [(CASE, "sent", True)]
    assert counted("sent") == before + 1


async def test_after_a_crash_between_sending_and_settling_the_same_reference_is_sent_again(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    """The provider keeps a reference once, so that the citizen gets one message."""
    notice = await create(running, alpha)
    post.listener.failure = SystemError("the plug was pulled")
    with pytest.raises(SystemError):
        await send(running, alpha, notice)
    left = await read(running, alpha, notice)
    assert (left.state, left.attempts) == ("sending", 1)
    assert left.sealed is not None
    post.listener.failure = None
    await send(running, alpha, notice)
    assert [message.reference for message in post.channel.messages] == [str(notice.id)] * 2
    assert post.channel.messages[0] == post.channel.messages[1]
    assert (await read(running, alpha, notice)).state == "sent"


async def test_a_temporary_failure_keeps_the_code_and_lets_the_queue_try_again(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    notice = await create(running, alpha)
    post.channel.failure = DeliveryError("busy", permanent=False)
    with pytest.raises(DeliveryError):
        await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts) == ("temporary-failure", 1)
    assert found.sealed == notice.sealed
    assert post.listener.told == []
    post.channel.failure = None
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts, found.sealed) == ("sent", 2, None)
    assert post.listener.told == [(CASE, "sent", True)]


async def test_a_permanent_failure_erases_the_code_and_tells_who_waits(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    notice = await create(running, alpha)
    post.channel.failure = DeliveryError("no such number", permanent=True)
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.sealed, found.provider) == ("permanent-failure", None, "recording")
    assert post.listener.told == [(CASE, "permanent-failure", False)]
    post.channel.failure = None
    await send(running, alpha, notice)
    assert post.channel.messages == []


async def test_a_provider_that_stays_away_ends_in_a_technical_failure(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    notice = await create(running, alpha)
    post.channel.failure = DeliveryError("down", permanent=False)
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(DeliveryError):
            await send(running, alpha, notice)
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts, found.sealed) == ("technical-failure", MAX_ATTEMPTS, None)
    assert post.listener.told == [(CASE, "technical-failure", False)]


async def test_a_failure_is_logged_without_number_and_code(
    running: Deployment, alpha: TenantContext, post: Post, logged: Any
) -> None:
    notice = await create(running, alpha)
    post.channel.failure = DeliveryError("busy", permanent=True)
    await send(running, alpha, notice)
    (line,) = logged()
    assert (line["event"], line["notice"], line["reason"]) == ("notice_failed", str(notice.id), "busy")
    assert PHONE not in str(line)


async def test_a_superseded_notice_is_never_sent(running: Deployment, alpha: TenantContext, post: Post) -> None:
    notice, kept = await create(running, alpha), await create(running, alpha, case=uuid4())
    async with running.database.tenant(alpha) as tx:
        await supersede(tx, CASE, at=running.clock.now())
    await send(running, alpha, notice)
    assert post.channel.messages == []
    found = await read(running, alpha, notice)
    assert (found.state, found.reference, found.sealed) == ("permanent-failure", "superseded", None)
    await send(running, alpha, kept)
    assert len(post.channel.messages) == 1


async def test_a_notice_that_is_superseded_while_it_is_on_its_way_stays_superseded(
    running: Deployment, alpha: TenantContext, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = await create(running, alpha)

    async def send_slowly(message: Message) -> str:
        async with running.database.tenant(alpha) as tx:
            await supersede(tx, CASE, at=running.clock.now())
        return message.reference

    monkeypatch.setattr(post.channel, "send", send_slowly)
    await send(running, alpha, notice)
    assert (await read(running, alpha, notice)).reference == "superseded"
    assert post.listener.told == []


async def test_what_was_sent_is_not_superseded(running: Deployment, alpha: TenantContext) -> None:
    notice = await create(running, alpha)
    await send(running, alpha, notice)
    async with running.database.tenant(alpha) as tx:
        await supersede(tx, CASE, at=running.clock.now())
    assert (await read(running, alpha, notice)).state == "sent"


async def test_a_case_whose_key_was_erased_gets_no_message_and_keeps_no_code(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    notice = await create(running, alpha)
    async with running.database.tenant(alpha) as tx:
        await running.keyring.erase(tx, CASE)
    await send(running, alpha, notice)
    assert post.channel.messages == []
    found = await read(running, alpha, notice)
    assert (found.state, found.reference, found.sealed) == ("permanent-failure", "unreadable", None)


@pytest.mark.parametrize(
    "sealed", [b"123456", b"{}", b"[]", b'{"code": 123456}', b'{"code": "%s"}' % (b"1" * 41), b"\xff", b""]
)
async def test_what_was_sealed_and_is_no_message_ends_there(
    running: Deployment, alpha: TenantContext, post: Post, sealed: bytes
) -> None:
    notice = await create(running, alpha, sealed=sealed)
    await send(running, alpha, notice)
    assert post.channel.messages == []
    assert (await read(running, alpha, notice)).state == "permanent-failure"


async def test_what_was_sealed_changes_nothing_of_the_text(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    notice = await create(running, alpha, sealed=b'{"code": "123456", "box": "Call 0900"}')
    await send(running, alpha, notice)
    [message] = post.channel.messages
    assert "DokBox 1" in message.text
    assert "0900" not in message.text


async def test_a_code_sealed_for_another_case_is_not_sent(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    one, other = await create(running, alpha), await create(running, alpha, case=uuid4())
    async with running.database.tenant(alpha) as tx:
        await store.update(tx, one.id, at=running.clock.now(), sealed=other.sealed)
    await send(running, alpha, one)
    assert post.channel.messages == []
    assert (await read(running, alpha, one)).state == "permanent-failure"


async def test_a_notice_that_does_not_exist_is_no_fault(running: Deployment, alpha: TenantContext) -> None:
    await deliver.function(running, alpha, notice_id=str(uuid4()))


async def test_a_notice_deleted_while_it_is_on_its_way_is_said(
    running: Deployment, alpha: TenantContext, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = await create(running, alpha)

    async def send_and_delete(message: Message) -> str:
        async with running.database.tenant(alpha) as tx:
            await store.delete_of_case(tx, CASE)
        return message.reference

    monkeypatch.setattr(post.channel, "send", send_and_delete)
    with pytest.raises(NotFoundError):
        await send(running, alpha, notice)


async def test_the_notices_of_a_case_are_found_and_deleted_together(running: Deployment, alpha: TenantContext) -> None:
    made = [await create(running, alpha), await create(running, alpha)]
    kept = await create(running, alpha, case=uuid4())
    async with running.database.tenant(alpha) as tx:
        assert [notice.id for notice in await store.of_case(tx, CASE)] == [notice.id for notice in made]
        await store.delete_of_case(tx, CASE)
        assert await store.of_case(tx, CASE) == []
        assert [notice.id for notice in await store.of_case(tx, kept.case)] == [kept.id]


async def test_what_nothing_else_erases_goes_after_a_year(running: Deployment, alpha: TenantContext) -> None:
    notice = await create(running, alpha)
    (rule,) = [
        answer.value["notice"]
        for answer in running.plugins.collect(alpha, "retention_rules")
        if answer.plugin == "core"
    ]
    assert rule.days == 365
    async with running.database.tenant(alpha) as tx:
        assert await rule.erase(tx, notice.created_at) == 0
        assert await rule.erase(tx, notice.created_at + timedelta(seconds=1)) == 1
        assert await store.of_case(tx, CASE) == []


async def test_a_tenant_cannot_reach_the_notice_of_another(
    running: Deployment, alpha: TenantContext, urls: Urls, post: Post
) -> None:
    beta = await make_tenant(running, urls.owner, "beta", settings={"notices": {"sms": "recording"}})
    notice = await create(running, alpha)
    await send(running, beta, notice)
    assert post.channel.messages == []
    assert (await read(running, alpha, notice)).state == "created"


async def test_a_state_that_the_table_does_not_know_is_refused_twice(running: Deployment, alpha: TenantContext) -> None:
    notice = await create(running, alpha)
    with pytest.raises(Exception, match="ck_notice_state"):
        async with running.database.tenant(alpha) as tx:
            await store.update(tx, notice.id, at=running.clock.now(), state="lost")
    with pytest.raises(ConflictError):
        async with running.database.tenant(alpha) as tx:
            await settling.end(running, tx, notice, to="delivered", provider="x", reference="")


# --- channels and templates -----------------------------------------------------------------------------------


async def test_the_tenant_names_the_channel_for_each_kind(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    assert (await channel_for(running, alpha, "sms")) is post.channel
    rehearsal = msgspec.structs.replace(alpha, settings={})
    assert (await channel_for(running, rehearsal, "sms")).name == "phone"


async def test_a_channel_that_does_not_exist_or_is_of_another_kind_is_refused(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    with pytest.raises(SettingsError, match="no channel 'smtp' for email"):
        await channel_for(running, alpha, "email")
    post.channel.kind = "email"
    with pytest.raises(SettingsError, match="no channel 'recording' for sms"):
        await channel_for(running, alpha, "sms")


async def test_mail_is_there_where_a_mail_server_is_named(
    running: Deployment, alpha: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    url = "smtp://mail.example.org/?sender=a@example.org"
    async with open_deployment(urls, tmp_path, running.plugins, smtp_url=url) as mailing:
        assert (await channel_for(mailing, alpha, "email")).name == "smtp"


async def test_a_notice_without_its_channel_waits_for_it(
    running: Deployment, alpha: TenantContext, urls: Urls, post: Post
) -> None:
    notice = await create(running, alpha)
    lost = msgspec.structs.replace(alpha, plugins=frozenset())
    with pytest.raises(SettingsError):
        await send(running, lost, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts, found.sealed) == ("temporary-failure", 1, notice.sealed)
    await send(running, alpha, notice)
    assert len(post.channel.messages) == 1


async def test_a_template_that_does_not_exist_is_refused(running: Deployment, alpha: TenantContext) -> None:
    assert template_for(running, alpha, "pickup").name == "pickup"
    with pytest.raises(SettingsError, match="no notice template 'x'"):
        template_for(running, alpha, "x")


async def test_the_recipient_can_be_read_with_the_key_of_the_case_alone(
    running: Deployment, alpha: TenantContext
) -> None:
    notice = await create(running, alpha)
    async with running.database.tenant(alpha) as tx:
        field = f"notice:{notice.id}"
        assert await running.keyring.unseal(tx, CASE, notice.recipient, field=field) == PHONE.encode()
        with pytest.raises(UnreadableError):
            await running.keyring.unseal(tx, CASE, notice.recipient, field=f"notice:{uuid4()}")
