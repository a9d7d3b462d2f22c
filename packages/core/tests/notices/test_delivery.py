"""Notices through the real queue and worker: what waits for what, who is asked after a crash, and when it ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.jobs import build_app
from servicepunkt.core.keys import model as keys
from servicepunkt.core.notices import service, store
from servicepunkt.core.notices.model import DeliveryError, Message, Notice, NoticeTemplate
from servicepunkt.core.notices.service import MAX_ATTEMPTS, RETRY, deliver, supersede
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, RecordingChannel, make_tenant

PHONE = "+4915112345678"
DOWN = DeliveryError("down", permanent=False)


class Post:
    """A plugin with two channels that stand in for each other; remembers what who waits was told."""

    def __init__(self) -> None:
        self.north, self.south = RecordingChannel("north"), RecordingChannel("south")
        self.told: list[tuple[UUID, str, bool]] = []
        self.meanwhile: Any = None
        self.templates: tuple[NoticeTemplate, ...] = (
            NoticeTemplate("pickup", {"de": "{box}: Code {code}"}),
            NoticeTemplate("reminder", {"de": "{box} wartet"}),
        )

    @property
    def texts(self) -> list[str]:
        return [message.text for channel in (self.north, self.south) for message in channel.messages]

    def fail(self, failure: DeliveryError | None) -> None:
        self.north.failure = self.south.failure = failure

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None:
        self.told.append((notice.id, notice.state, accepted))
        if self.meanwhile:
            await self.meanwhile(tx)

    async def undelivered(self, tx: Transaction, notice: Notice) -> None:
        raise AssertionError(notice.id)

    def hooks(self) -> dict[str, Any]:
        return {
            "notice_channels": lambda ctx: (self.north, self.south),
            "notice_templates": lambda ctx: self.templates,
            "notice_listeners": lambda ctx: (self,),
        }


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def hooks(post: Post) -> dict[str, Any]:
    return post.hooks()


@pytest.fixture
async def alpha(running: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(running, urls.owner, "alpha", settings={"notices": {"sms": ["north", "south"]}})


def ask(urls: Urls, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
        answer = connection.execute(query)  # type: ignore[call-overload]
        return list(answer.fetchall()) if answer.description else []


async def create(
    running: Deployment, ctx: TenantContext, *, case: UUID, code: str = "", template: str = "", **values: Any
) -> Notice:
    """A notice with a code, or a reminder without one."""
    async with running.database.tenant(ctx) as tx:
        if code:
            public = await running.keyring.notice_public_key(tx)
            context = f"deposit:{case}"
            sealed = keys.seal_to(public, b'{"code": "%s"}' % code.encode(), context=context)
            values |= {"sealed": sealed, "sealed_context": context}
        return await service.create(
            tx,
            running.keyring,
            at=running.clock.now(),
            case=case,
            kind="sms",
            recipient=PHONE,
            template=template or ("pickup" if code else "reminder"),
            locale="de",
            params={"box": "DokBox 1"},
            **values,
        )


async def work(running: Deployment) -> None:
    """A worker until nothing is left that could be done now."""
    app = build_app(running)
    async with app.open_async():
        app.periodic_registry.periodic_tasks.clear()
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)


async def send(running: Deployment, ctx: TenantContext, notice: Notice) -> None:
    await deliver.function(running, ctx, notice_id=str(notice.id))


async def read(running: Deployment, ctx: TenantContext, notice: Notice) -> Notice:
    async with running.database.tenant(ctx) as tx:
        found = await store.find(tx, notice.id)
    assert found is not None
    return found


async def begin(running: Deployment, ctx: TenantContext, notice: Notice) -> service.Prepared:
    """An attempt up to the moment at which the first provider is asked."""
    prepared = await service._prepare(running, ctx, notice.id)
    assert prepared is not None
    return prepared


# --- what waits for what --------------------------------------------------------------------------------------


@pytest.mark.parametrize("old_code", ["111111", ""], ids=["code", "reminder"])
async def test_a_code_waits_for_no_message_of_its_case_that_is_tried_again_later(
    running: Deployment, alpha: TenantContext, post: Post, urls: Urls, old_code: str
) -> None:
    case = uuid4()
    post.fail(DOWN)
    await create(running, alpha, case=case, code=old_code)
    await work(running)
    ask(urls, "UPDATE procrastinate_jobs SET attempts = 9, scheduled_at = now() + interval '10 minutes'")
    post.fail(None)
    async with running.database.tenant(alpha) as tx:
        await supersede(tx, case, at=running.clock.now())
    new = await create(running, alpha, case=case, code="222222")
    await work(running)
    assert (await read(running, alpha, new)).state == "sent"
    ask(urls, "UPDATE procrastinate_jobs SET scheduled_at = now()")
    await work(running)
    assert post.texts == ["DokBox 1: Code 222222"]


async def test_a_failed_message_is_tried_again_soon_and_never_rests_longer_than_ten_minutes(
    running: Deployment, alpha: TenantContext, post: Post, urls: Urls
) -> None:
    post.fail(DOWN)
    await create(running, alpha, case=uuid4(), code="111111")
    for runs, seconds in ((0, 10), (6, 600), (60, 600), (5000, 600)):
        ask(urls, f"UPDATE procrastinate_jobs SET scheduled_at = now(), attempts = {runs}")
        await work(running)
        (found,) = ask(
            urls,
            f"SELECT status::text, scheduled_at > now(), scheduled_at < now() + interval '{seconds + 1} seconds' "
            "FROM procrastinate_jobs",
        )
        assert found == ("todo", True, True), runs


def test_an_outage_of_a_night_is_survived() -> None:
    tries = [RETRY.seconds[min(run, len(RETRY.seconds) - 1)] for run in range(MAX_ATTEMPTS - 1)]
    assert timedelta(hours=15) < timedelta(seconds=sum(tries)) < timedelta(hours=20)


# --- what a newer one makes useless ---------------------------------------------------------------------------


async def test_an_old_code_that_could_not_be_superseded_is_tried_no_more(
    running: Deployment, alpha: TenantContext, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever supersedes passes over what the worker holds at that moment."""
    case = uuid4()
    old = await create(running, alpha, case=case, code="111111")
    refusal = service._refusal

    async def meanwhile(*values: Any) -> str | None:
        monkeypatch.setattr(service, "_refusal", refusal)
        async with running.database.tenant(alpha) as other:
            await supersede(other, case, at=running.clock.now())
        await create(running, alpha, case=case, code="222222")
        return await refusal(*values)

    monkeypatch.setattr(service, "_refusal", meanwhile)
    post.fail(DOWN)
    await send(running, alpha, old)
    found = await read(running, alpha, old)
    assert (found.state, found.reference, found.sealed) == ("permanent-failure", "superseded", None)
    assert found.attempts == 1
    post.fail(None)
    await work(running)
    assert post.texts == ["DokBox 1: Code 222222"]
    assert post.told[-1][1:] == ("sent", True)


async def test_an_old_code_in_the_queue_gives_way_to_a_newer_one(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    case = uuid4()
    made = [await create(running, alpha, case=case, code=code) for code in ("111111", "222222", "")]
    for notice in made:
        await send(running, alpha, notice)
    assert sorted(post.texts) == ["DokBox 1 wartet", "DokBox 1: Code 222222"], "what brings no code replaces none"
    assert (await read(running, alpha, made[0])).reference == "superseded"


async def test_what_was_with_the_provider_when_it_was_superseded_counts_as_sent(
    running: Deployment, alpha: TenantContext, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = uuid4()
    notice = await create(running, alpha, case=case, code="111111")

    async def take(message: Message) -> str:
        async with running.database.tenant(alpha) as tx:
            await supersede(tx, case, at=running.clock.now())
        return "r1"

    for channel in (post.north, post.south):
        monkeypatch.setattr(channel, "send", take)
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.reference, found.sent_at) == ("permanent-failure", "superseded", running.clock.now())
    assert found.provider in ("north", "south")
    later = await create(running, alpha, case=case, code="222222")
    async with running.database.tenant(alpha) as tx:
        assert await store.count_before(tx, later, since=timedelta(hours=1)) == 1


# --- crashes --------------------------------------------------------------------------------------------------


async def test_after_a_crash_the_one_that_was_asked_is_asked_first(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    """It may have taken the message, and may know its reference: the other one would send it again for certain."""
    for number in range(8):
        notice = await create(running, alpha, case=uuid4(), code=f"{number:06d}")
        channel = (await begin(running, alpha, notice)).channels[0]
        assert (await read(running, alpha, notice)).provider == channel.name
        await send(running, alpha, notice)
        assert (await read(running, alpha, notice)).provider == channel.name


async def test_after_a_crash_at_the_second_one_that_one_is_asked_first(
    running: Deployment, alpha: TenantContext, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PlugPulled(BaseException):
        pass

    for number in range(6):
        notice = await create(running, alpha, case=uuid4(), code=f"{number:06d}")
        asked: list[str] = []

        def take(name: str, asked: list[str] = asked) -> Any:
            async def send_or_die(message: Message) -> str:
                asked.append(name)
                if len(asked) == 1:
                    raise DOWN
                if len(asked) == 2:
                    raise PlugPulled
                return message.reference

            return send_or_die

        for channel in (post.north, post.south):
            monkeypatch.setattr(channel, "send", take(channel.name))
        with pytest.raises(PlugPulled):
            await send(running, alpha, notice)
        await send(running, alpha, notice)
        assert asked[1] == asked[2] != asked[0]


async def test_a_provider_that_failed_is_not_asked_first_for_that(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    first = set()
    for number in range(30):
        notice = await create(running, alpha, case=uuid4(), code=f"{number:06d}")
        post.fail(DOWN)
        with pytest.raises(DeliveryError):
            await send(running, alpha, notice)
        last = (await read(running, alpha, notice)).provider
        first.add((await begin(running, alpha, notice)).channels[0].name == last)
        if len(first) == 2:
            return
    raise AssertionError(first)


async def test_a_notice_that_takes_every_worker_with_it_ends(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    notice = await create(running, alpha, case=uuid4(), code="111111")
    for _ in range(MAX_ATTEMPTS):
        await begin(running, alpha, notice)
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts, found.sealed) == ("technical-failure", MAX_ATTEMPTS, None)
    assert post.told == [(notice.id, "technical-failure", False)]
    assert post.texts == []


async def test_kills_use_up_no_runs_of_the_job(
    running: Deployment, alpha: TenantContext, post: Post, urls: Urls
) -> None:
    notice = await create(running, alpha, case=uuid4(), code="111111")
    post.fail(DOWN)
    ask(urls, "UPDATE procrastinate_jobs SET attempts = 40")
    await work(running)
    post.fail(None)
    ask(urls, "UPDATE procrastinate_jobs SET scheduled_at = now()")
    await work(running)
    assert (await read(running, alpha, notice)).state == "sent"


# --- what is not as it should be ------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [None, {"en": "Your document waits"}])
async def test_a_text_that_is_missing_is_seen_by_staff_and_ends_some_day(
    running: Deployment, alpha: TenantContext, post: Post, clock: FixedClock, urls: Urls, texts: dict[str, str] | None
) -> None:
    if texts:
        post.templates = (NoticeTemplate("missing", texts),)
    notice = await create(running, alpha, case=uuid4(), template="missing")
    await work(running)
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts) == ("temporary-failure", 1)
    assert ask(urls, "SELECT status::text FROM procrastinate_jobs") == [("todo",)]
    async with running.database.tenant(alpha) as tx:
        assert [shown.id for shown in await store.unfortunate(tx, clock.now())] == [notice.id]
        await store.update(tx, notice.id, at=clock.now(), attempts=MAX_ATTEMPTS - 1)
    await send(running, alpha, notice)
    assert (await read(running, alpha, notice)).state == "technical-failure"
    assert post.told == [(notice.id, "technical-failure", False)]


async def test_an_attempt_that_came_to_no_provider_does_not_lift_the_limits(
    running: Deployment, alpha: TenantContext, post: Post, urls: Urls
) -> None:
    tight = {"sms": ["north", "south"], "limits": {"number_day": 1}}
    alpha = await make_tenant(running, urls.owner, "alpha", settings={"notices": tight})
    await send(running, alpha, await create(running, alpha, case=uuid4()))
    notice = await create(running, alpha, case=uuid4(), template="later")
    with pytest.raises(SettingsError):
        await send(running, alpha, notice)
    post.templates += (NoticeTemplate("later", {"de": "{box}"}),)
    await send(running, alpha, notice)
    assert (await read(running, alpha, notice)).reference == "limit"


async def test_a_place_without_a_value_is_no_closed_case(running: Deployment, alpha: TenantContext, post: Post) -> None:
    notice = await create(running, alpha, case=uuid4(), template="pickup")
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.reference) == ("permanent-failure", "incomplete")


async def test_a_channel_with_a_fault_of_its_own_keeps_nobody_from_another(
    running: Deployment, alpha: TenantContext, post: Post, monkeypatch: pytest.MonkeyPatch, urls: Urls
) -> None:
    async def broken(message: Message) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(post.north, "send", broken)
    notices = [await create(running, alpha, case=uuid4(), code=f"{number:06d}") for number in range(4)]
    for _ in range(20):
        await work(running)
        ask(urls, "UPDATE procrastinate_jobs SET scheduled_at = now()")
    assert [(await read(running, alpha, notice)).provider for notice in notices] == ["south"] * 4


@pytest.mark.parametrize("state", ["created", "sending"])
async def test_what_nobody_was_asked_to_send_is_shown_after_a_quarter_of_an_hour(
    running: Deployment, alpha: TenantContext, post: Post, clock: FixedClock, state: str
) -> None:
    notice = await create(running, alpha, case=uuid4(), code="111111")
    if state == "sending":
        await begin(running, alpha, notice)
    for minutes, seen in ((14, 0), (2, 1)):
        clock.forward(minutes=minutes)
        async with running.database.tenant(alpha) as tx:
            assert await store.count_unfortunate(tx, clock.now()) == seen


# --- until when it is of use ----------------------------------------------------------------------------------


async def test_what_is_of_no_use_any_more_is_not_sent(
    running: Deployment, alpha: TenantContext, post: Post, clock: FixedClock
) -> None:
    ends = clock.now() + timedelta(minutes=10)
    late, in_time = [await create(running, alpha, case=uuid4(), code="111111", until=ends) for _ in range(2)]
    post.fail(DOWN)
    with pytest.raises(DeliveryError):
        await send(running, alpha, late)
    post.fail(None)
    clock.forward(minutes=9, seconds=59)
    await send(running, alpha, in_time)
    clock.forward(seconds=1)
    await send(running, alpha, late)
    found = await read(running, alpha, late)
    assert (found.state, found.reference, found.sealed) == ("permanent-failure", "expired", None)
    assert post.told == [(in_time.id, "sent", True), (late.id, "permanent-failure", False)]
    assert len(post.texts) == 1
    async with running.database.tenant(alpha) as tx:
        assert [shown.id for shown in await store.unfortunate(tx, clock.now())] == [late.id]


async def test_what_is_of_no_use_any_more_ends_also_where_nobody_could_be_asked(
    running: Deployment, alpha: TenantContext, post: Post, clock: FixedClock, urls: Urls
) -> None:
    alpha = await make_tenant(running, urls.owner, "alpha", settings={"notices": {"sms": "nobody"}})
    notice = await create(running, alpha, case=uuid4(), code="111111", until=clock.now() + timedelta(minutes=10))
    with pytest.raises(SettingsError):
        await send(running, alpha, notice)
    clock.forward(minutes=10)
    await send(running, alpha, notice)
    assert (await read(running, alpha, notice)).reference == "expired"


# --- two runs of one notice -----------------------------------------------------------------------------------


@pytest.mark.parametrize("permanent", [False, True])
async def test_what_one_run_has_sent_another_does_not_fail(
    running: Deployment, alpha: TenantContext, post: Post, permanent: bool
) -> None:
    notice = await create(running, alpha, case=uuid4(), code="111111")
    one, two = await begin(running, alpha, notice), await begin(running, alpha, notice)
    await service._accepted(running, alpha, one.notice, "north", "n1", [])
    trials = [service.Trial("south", DeliveryError("x", permanent=permanent))]
    await service._failed(running, alpha, two.notice, trials)
    found = await read(running, alpha, notice)
    assert (found.state, found.reference, found.provider) == ("sent", "n1", "north")
    assert post.told == [(notice.id, "sent", True)]


@pytest.mark.parametrize("permanent", [False, True])
async def test_a_run_that_was_overtaken_fails_nothing_and_keeps_the_job(
    running: Deployment, alpha: TenantContext, post: Post, permanent: bool
) -> None:
    notice = await create(running, alpha, case=uuid4(), code="111111")
    one, two = await begin(running, alpha, notice), await begin(running, alpha, notice)
    trials = [service.Trial("south", DeliveryError("x", permanent=permanent))]
    with pytest.raises(DeliveryError):
        await service._failed(running, alpha, one.notice, trials)
    found = await read(running, alpha, notice)
    assert (found.state, found.attempts) == ("sending", 2)
    assert not await service._turn_to(running, alpha, one.notice, "north")
    assert await service._turn_to(running, alpha, two.notice, "north")


async def test_the_word_of_a_provider_counts_also_in_a_run_that_was_overtaken(
    running: Deployment, alpha: TenantContext, post: Post
) -> None:
    notice = await create(running, alpha, case=uuid4(), code="111111")
    one, two = await begin(running, alpha, notice), await begin(running, alpha, notice)
    with pytest.raises(DeliveryError):
        await service._failed(running, alpha, two.notice, [service.Trial("south", DOWN)])
    await service._accepted(running, alpha, one.notice, "north", "n1", [])
    assert (await read(running, alpha, notice)).state == "sent"
    await send(running, alpha, notice)
    assert post.texts == []


# --- locks ----------------------------------------------------------------------------------------------------


async def test_a_weight_that_moves_and_a_box_that_reports_do_not_wait_for_each_other(
    running: Deployment, alpha: TenantContext, post: Post, urls: Urls
) -> None:
    """Taking in a box's entries locks the box, then the audit chain; who listens to a notice wants the box."""
    tight = {"sms": ["north", "south"], "limits": {"number_day": 1}}
    alpha = await make_tenant(running, urls.owner, "alpha", settings={"notices": tight})
    await send(running, alpha, await create(running, alpha, case=uuid4(), code="111111"))
    notice = await create(running, alpha, case=uuid4(), code="222222")
    async with running.database.tenant(alpha) as tx:
        await service._note_attempt(tx, notice.id, "north", "failed")
    box, settling = asyncio.Event(), asyncio.Event()

    async def wants_the_box(tx: Transaction) -> None:
        settling.set()
        await tx.lock("box")

    post.meanwhile = wants_the_box

    async def take_in() -> None:
        async with running.database.tenant(alpha) as tx:
            await tx.lock("box")
            box.set()
            await settling.wait()
            await audit.record(tx, at=tx.now(), actor="box", action="box.started", subject="box:1")

    async def refuse() -> None:
        await box.wait()
        await send(running, alpha, notice)

    async with asyncio.timeout(30):
        await asyncio.gather(take_in(), refuse())
    assert (await read(running, alpha, notice)).reference == "limit"
