"""Two tenants whose rows have the same ids and names; what is text in the second one's rows holds a canary.

Ids are given out anew for each tenant in the same order, so that the deposit, the device, the edit and the call of one
carry the UUIDs of the other. What only the second tenant has comes after that: it has ids that the first one lacks.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec
import pytest
import sqlalchemy as sa

from servicepunkt.core import ids
from servicepunkt.core.applications import service as applications
from servicepunkt.core.applications import store as application_store
from servicepunkt.core.applications.model import Answer, Application, Content
from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.editing import store as editing_store
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Offer, Partner, Point, Service, Theme
from servicepunkt.core.catalogue.search import misses
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.catalogue.sources import store as sources
from servicepunkt.core.db import metadata
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hosts.footfall import service as footfall
from servicepunkt.core.hosts.hours import store as host_hours
from servicepunkt.core.hosts.incidents import service as incidents
from servicepunkt.core.hosts.incidents.model import Report
from servicepunkt.core.hosts.space import service as space
from servicepunkt.core.hosts.space import store as slots
from servicepunkt.core.hosts.space.model import Wish
from servicepunkt.core.identification import IdentityWish
from servicepunkt.core.notices import provider_store
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.operators.consents import store as consents
from servicepunkt.core.operators.consents.model import Consent, OperatorSession
from servicepunkt.core.orders import store as orders
from servicepunkt.core.orders.model import Chosen, Order
from servicepunkt.core.people import service as people
from servicepunkt.core.people.links import store as links_store
from servicepunkt.core.people.links.model import LinkSide
from servicepunkt.core.people.model import ROLES
from servicepunkt.core.plugins import store as plugin_store
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant
from servicepunkt.dokbox import service as dokbox
from servicepunkt.dokbox import store as boxes
from servicepunkt.dokbox.configuration import SyncBoxes
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.settings import BoxSettings, DokboxSettings
from servicepunkt.dokbox.trust import store as trust
from servicepunkt.eid.sessions import store as identifications
from servicepunkt.eid.sessions.model import Session as Identification
from servicepunkt.eid.sessions.model import digest
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices.model import Device
from servicepunkt.web.handshakes import store as handshakes
from servicepunkt.web.help import service as help_calls
from servicepunkt.web.passkeys import store as passkeys
from servicepunkt.web.sessions import service as sessions

PUBLIC_KEY = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
PASSWORD = "a long sentence of nobody"
#: The same in both tenants.
BOX, POINT, SERVICE, THEME, LOGIN, DOCUMENT = "box-1", "point", "service", "theme", "boss", "C01X00T47"
HOST, SPACE = "host", "lounge"
EVERYTHING = "all roles"


def public(slug: str, place: str) -> str:
    """A canary that anybody may read at the tenant's own address, and nowhere else."""
    return f"Zqopen{slug}{place}"


def private(slug: str, place: str) -> str:
    """A canary that only the tenant's own people may ever read."""
    return f"Zqshut{slug}{place}"


def canaries(slug: str, *, with_public: bool) -> re.Pattern[bytes]:
    """What no answer, header or log may hold, in whatever case: the search, for one, writes small letters."""
    kinds = "open|shut" if with_public else "shut"
    return re.compile(f"zq(?:{kinds}){slug}".encode(), re.IGNORECASE)


class Twin:
    """One tenant with what could leak, the cookies of its people and terminals, and the token of its box."""

    def __init__(self, ctx: TenantContext) -> None:
        self.ctx = ctx
        self.cookies: dict[str, dict[str, str]] = {"nobody": {}}
        self.box_token = ""
        self.ids: dict[str, str] = {}

    @property
    def slug(self) -> str:
        return self.ctx.slug

    @property
    def prefix(self) -> str:
        return f"/t/{self.slug}"

    @property
    def host(self) -> str:
        return f"{self.slug}.example.org"


@contextmanager
def counted_ids(start: int) -> Iterator[None]:
    """Ids that count from `start`, instead of random ones."""
    numbers = itertools.count(start)
    with pytest.MonkeyPatch.context() as patch:
        # Version 7 and variant 2 (RFC 9562, 5.7), as PostgreSQL and readers of the ids expect.
        patch.setattr(ids, "uuid7", lambda: UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 + next(numbers)))
        yield


async def twin(deployment: Deployment, owner: str, slug: str) -> Twin:
    """A tenant with rows in every table, the same ids in each that is made so."""
    made = Twin(await make_tenant(deployment, owner, slug, **row_of(slug)))
    with counted_ids(1):
        await _fill(deployment, made, LOGIN)
    return made


async def more(deployment: Deployment, made: Twin) -> dict[str, str]:
    """Another deposit, device, call, edit and account, with ids that the other tenant does not have."""
    lone = Twin(made.ctx)
    with counted_ids(1_000_000):
        await _fill_people(deployment, lone, "lone-")
        await _fill_work(deployment, lone, document="C01X00T48", language="de")
        await _publish(deployment, lone, note="again")
        async with deployment.database.tenant(made.ctx) as tx:
            await _plant_run(tx, lone)
            await _plant_consent(tx, lone)
    return lone.ids


def row_of(slug: str) -> dict[str, Any]:
    """The columns of the tenant's row: every text in it holds a canary, but for what addresses it."""
    texts = {language: public(slug, f"box{language}") for language in ("de", "en")}
    box = BoxSettings(id=BOX, point=POINT, name=texts, compartments=16)
    documents = (DocumentPolicy(type="passport", name={language: public(slug, "kind") for language in ("de", "en")}),)
    addresses = {name: f"https://town.example/{public(slug, name)}" for name in ("imprint", "privacy", "accessibility")}
    dokbox_part = msgspec.to_builtins(DokboxSettings(boxes=(box,), documents=documents))
    house = {
        "spaces": [{"id": SPACE, "host": HOST, "name": {"de": public(slug, "space"), "en": public(slug, "space")}}]
    }
    return {
        "name": public(slug, "name"),
        "hosts": [f"{slug}.example.org"],
        "settings": {
            "dokbox": dokbox_part,
            "web": addresses,
            "house": house,
            "applications": {"forms": [form_of(slug)]},
        },
    }


def form_of(slug: str) -> dict[str, Any]:
    """A form that needs nobody's identity, so that every page of it opens."""
    texts = {name: {"de": public(slug, name), "en": public(slug, name)} for name in ("purpose", "consent", "then")}
    return {"service": SERVICE, **texts, "fields": [{"name": "name", "label": {"de": public(slug, "label")}}]}


def town(slug: str, note: str = "") -> Catalogue:
    """A catalogue with an entry of each kind; all of it is published. `note` makes another revision of it."""

    def text(place: str) -> dict[str, str]:
        return {language: public(slug, place) for language in ("de", "en")}

    address = Address(street=public(slug, "street"), postcode="1", town=public(slug, "town"))
    return Catalogue(
        hosts=(Host(id="host", name=public(slug, "host"), kind="shop", hours="24/7"),),
        points=(Point(id=POINT, name=text("point"), host="host", address=address),),
        partners=(Partner(id="town", name=public(slug, "partner"), kind="authority"),),
        themes=(Theme(id=THEME, name=text("theme"), intro=text(f"intro{note}")),),
        services=(
            Service(id=SERVICE, name=text("service"), themes=(THEME,), competence="town", summary=text("summary")),
            Service(id=f"only-{slug}", name=text("only"), themes=(THEME,), competence="town", summary=text("lone")),
        ),
        offers=tuple(
            Offer(service=name, point=POINT, provider="town", can=("inform", "apply"), non_digital=text("offer"))
            for name in (SERVICE, f"only-{slug}")
        ),
    )


async def _fill(deployment: Deployment, made: Twin, login: str) -> None:
    await _publish(deployment, made)
    await _fill_people(deployment, made, "")
    await _fill_work(deployment, made)

    async with deployment.database.tenant(made.ctx) as tx:
        await _plant(tx, made)


async def _publish(deployment: Deployment, made: Twin, note: str = "") -> None:
    now = deployment.clock.now()
    async with deployment.database.tenant(made.ctx) as tx:
        await importing.put_files(tx, town(made.slug, note), at=now)
        revision, _ = await catalogue.publish_sources(tx, at=now, actor=private(made.slug, "publisher"))
        await SyncBoxes().applied(tx)
    made.ids["revision"] = str(revision)


async def _fill_people(deployment: Deployment, made: Twin, before: str) -> None:
    """An account for each role and one for all, each signed in; a terminal and a box."""
    wanted = {role: (role,) for role in ROLES} | {EVERYTHING: tuple(ROLES)}
    password = f"{PASSWORD} of {made.slug}"
    async with deployment.database.tenant(made.ctx) as tx:
        accounts = {
            role: await people.create_account(
                tx,
                at=deployment.clock.now(),
                actor=private(made.slug, "creator"),
                login=before + (LOGIN if role == EVERYTHING else role),
                name=private(made.slug, f"{role.replace('_', '').replace(' ', '')}"),
                password=password,
                roles=roles,
            )
            for role, roles in (wanted.items() if not before else [(EVERYTHING, wanted[EVERYTHING])])
        }
    for role, account in accounts.items():
        made.cookies[role] = {"sp_session": await sessions.start(deployment, made.ctx, account)}
    made.ids["account"] = str(accounts[EVERYTHING].id)
    await _plant_link(deployment, made, accounts[EVERYTHING].id, before)
    terminal, token = await _enrol(deployment, made, "terminal", POINT)
    made.cookies["terminal"] = {"sp_device": token}
    box, made.box_token = await _enrol(deployment, made, "box", BOX)
    made.ids |= {"terminal": str(terminal.id), "box": str(box.id)}


async def _plant_link(deployment: Deployment, made: Twin, account: UUID, before: str) -> None:
    """The account is linked with one of a tenant that is not served: its own id, or it would link the two twins."""
    link = uuid5(NAMESPACE_DNS, f"{before}{made.slug}")
    ends = [LinkSide(link=link, tenant=tenant, account=account) for tenant in (made.ctx.id, -made.ctx.id)]
    async with deployment.database.platform("plant a link") as connection:
        await links_store.put(connection, ends)
    made.ids["link"] = str(link)


async def _enrol(deployment: Deployment, made: Twin, kind: str, target: str) -> tuple[Device, str]:
    actor, label = private(made.slug, "announcer"), private(made.slug, kind)
    _, code = await devices.announce(deployment, made.ctx, actor=actor, kind=kind, target=target, label=label)
    info = {"version": private(made.slug, "version")}
    return await devices.enrol(deployment, made.ctx, code=code, public_key=PUBLIC_KEY, info=info)


async def _fill_work(deployment: Deployment, made: Twin, *, document: str = DOCUMENT, language: str = "en") -> None:
    """A deposit, a help call, an edit, a notice, an order."""
    slug, now = made.slug, deployment.clock.now()
    wanted = dokbox.Announcement(box=BOX, kind="passport", document_number=document, phone="0151 12345678", locale="de")
    deposit = await dokbox.announce(deployment, made.ctx, actor=private(slug, "clerk"), wanted=wanted)
    made.ids |= {"deposit": str(deposit.id), "reference": deposit.reference}
    async with deployment.database.tenant(made.ctx) as tx:
        terminal = await devices.find(tx, UUID(made.ids["terminal"]))
        assert terminal is not None
        (edit,) = await editing.write(
            tx, SERVICE, {f"summary/{language}": private(slug, "edit")}, actor=private(slug, "editor")
        )
        notice = await notices.create(
            tx,
            deployment.keyring,
            at=now,
            case=deposit.id,
            kind="sms",
            recipient="+4915112345678",
            template="dokbox.code",
            locale="de",
            params={"point": private(slug, "params")},
            source=private(slug, "source"),
        )
        order = _order(slug, "ATESM3YR" if document == DOCUMENT else "ATESM3YS", now)
        assert await orders.add(tx, order)
        assert await orders.take(tx, order.plugin, order.service, order.chosen[0])
    call = await help_calls.call(deployment, made.ctx, terminal, topic=f"/k/{private(slug, 'topic')}")
    made.ids |= {"edit": str(edit.id), "notice": str(notice.id), "call": str(call.id), "order": str(order.id)}
    async with deployment.database.tenant(made.ctx) as tx:
        await _plant_applications(deployment, tx, made)
        await _plant_identification(tx, made)
    await _fill_house(deployment, made, now + timedelta(days=1 if document == DOCUMENT else 2))


async def _fill_house(deployment: Deployment, made: Twin, at: datetime) -> None:
    """An incident, a slot of a space and a count of people in the house."""
    slug, begins = made.slug, at.replace(minute=0, second=0, microsecond=0)
    report = Report(
        key=ids.new_id(),
        host=HOST,
        point=POINT,
        kind="access",
        place=private(slug, "lift"),
        words=private(slug, "stuck"),
    )
    wish = Wish(
        key=ids.new_id(),
        host=HOST,
        space=SPACE,
        organisation=private(slug, "police"),
        purpose=private(slug, "purpose"),
        equipment=private(slug, "chairs"),
        begins_at=begins,
        ends_at=begins + timedelta(hours=1),
    )
    async with deployment.database.tenant(made.ctx) as tx:
        incident = await incidents.report(tx, town(slug), report, actor=private(slug, "reporter"))
        slot = await space.ask(tx, wish, actor=private(slug, "asker"))
        file = f"date,hour,count\n{tx.now().date()},9,4711\n"
        await footfall.take_over(tx, HOST, file.encode(), actor=private(slug, "counter"))
    made.ids |= {"incident": str(incident.id), "slot": str(slot.id)}


async def _plant_applications(deployment: Deployment, tx: Transaction, made: Twin) -> None:
    """A draft of somebody at the terminal, whose cookie nobody else has, and what was submitted and has failed."""
    slug, now, cookie = made.slug, tx.now(), f"{made.slug}{made.ids['order']}".ljust(64, "a")
    answer = Answer(name="name", kind="text", label="Name", value=private(slug, "name"), text=private(slug, "text"))
    for state, reference in (("draft", f"D{made.ids['order'][-7:]}"), ("failed", f"F{made.ids['order'][-7:]}")):
        content = Content(values={"name": private(slug, "typed")}, title=private(slug, "title"), answers=(answer,))
        row = Application(
            id=ids.new_id(),
            session=applications.session_of(cookie if state == "draft" else "a" * 64),
            service=SERVICE,
            point=POINT,
            place="terminal",
            locale="de",
            reference=reference,
            state=state,
            connector="folder",
            keep_days=30,
            receipt=private(slug, "receipt"),
            created_at=now,
            changed_at=now,
            submitted_at=now if state == "failed" else None,
            ends_at=now + timedelta(minutes=15) if state == "draft" else None,
        )
        sealed = await deployment.keyring.seal(tx, row.id, msgspec.json.encode(content), field=applications.FIELD)
        assert await application_store.add(tx, msgspec.structs.replace(row, sealed=sealed))
        made.ids["draft" if state == "draft" else "application"] = str(row.id)
    made.cookies.setdefault("terminal", {})["sp_application"] = cookie


async def _plant_identification(tx: Transaction, made: Twin) -> None:
    """One with a wallet that was refused, at the terminal: its page still says what was asked, and by which code."""
    slug, now = made.slug, tx.now()
    wish = IdentityWish(
        key=UUID(made.ids["draft"]),
        purpose={language: private(slug, "asked") for language in ("de", "en")},
        required=("family_names",),
        return_path=f"/k/apply/{SERVICE}/back",
        device=UUID(made.ids["terminal"]),
    )
    row = Identification(
        id=ids.new_id(),
        key=wish.key,
        door="wallet",
        state="refused",
        wish=msgspec.json.encode(wish),
        device=wish.device,
        point=POINT,
        ticket=digest(private(slug, made.ids["draft"])),
        refused_by="SP4332",
        created_at=now,
        ends_at=now + timedelta(minutes=10),
    )
    await identifications.add(tx, row)
    made.ids["identification"] = str(row.id)


def _order(slug: str, reference: str, now: datetime) -> Order:
    """Whoever has its id may read it, as people do with the address that they took along."""
    words = {language: public(slug, "chosen") for language in ("de", "en")}
    chosen = Chosen(item="seat", words=words, count=1, price=Decimal(7), at=now + timedelta(days=2), limit=9)
    return Order(
        id=ids.new_id(),
        key=ids.new_id(),
        plugin="partner",
        service=SERVICE,
        provider="town",
        point=POINT,
        reference=reference,
        chosen=(chosen,),
        total=Decimal(7),
        currency="EUR",
        state="placed",
        created_at=now,
        changed_at=now,
        expires_at=now + timedelta(days=1),
    )


async def _plant(tx: Transaction, made: Twin) -> None:
    """Rows that only work elsewhere leaves behind: a box's journal, runs of a source, links, questions, attempts."""
    slug, now = made.slug, tx.now()

    def word(place: str) -> str:
        return private(slug, place)

    rows: list[tuple[sa.Table, dict[str, Any]]] = [
        (
            boxes.box_event,
            {
                "box": BOX,
                "seq": 1,
                "at": now,
                "event": "open_for_load",
                "deposit": made.ids["deposit"],
                "compartment": 7,
                "state": "open_for_load",
                "data": {"note": word("event")},
                "previous": word("previous"),
                "hash": word("hash"),
                "received_at": now,
            },
        ),
        (
            trust.box_trust,
            {
                "box": BOX,
                "device": UUID(made.ids["box"]),
                "signing_key": word("signing").encode(),
                "peppers": word("peppers").encode(),
                "asked_at": 1,
            },
        ),
        (
            provider_store.notice_attempt,
            {
                "id": ids.new_id(),
                "notice": UUID(made.ids["notice"]),
                "provider": "first",
                "at": now,
                "outcome": "accepted",
                "answers": True,
                "reference": "reference-1",
                "receipt": "",
            },
        ),
        (
            plugin_store.plugin_failure,
            {
                "plugin": "dokbox",
                "hook": "terminal_tiles",
                "fault": "failed",
                "count": 1,
                "since": now,
                "last": now,
                "error": word("error"),
            },
        ),
        (
            handshakes.handshake,
            {"key": b"k" * 32, "kind": "Login", "data": word("login").encode(), "until": now},
        ),
        (
            passkeys.passkey,
            {
                "id": ids.new_id(),
                "account": UUID(made.ids["account"]),
                "credential": b"c" * 16,
                "public_key": word("public").encode(),
                "sign_count": 7,
                "name": word("passkey"),
                "created_at": now,
            },
        ),
        (
            provider_store.provider_weight,
            {"provider": "first", "weight": 7, "moved_at": now, "reason": word("weight")},
        ),
    ]
    for table, values in rows:
        await tx.execute(table.insert().values(tenant_id=made.ctx.id, **values))
    await _plant_run(tx, made)
    closure = {"first": "2026-12-24", "hours": "off", "reason": {"de": public(slug, "closure")}}
    await tx.execute(
        host_hours.host_hours.insert().values(
            tenant_id=made.ctx.id,
            host=HOST,
            said={"exceptions": [closure]},
            below={"hours": "24/7"},
            key=ids.new_id(),
            changed_by=word("hosthours"),
            changed_at=now,
        )
    )
    await _plant_consent(tx, made)
    # What a later step of the same row would write.
    edit = sa.update(editing_store.catalogue_edit).where(editing_store.catalogue_edit.c.tenant_id == made.ctx.id)
    await tx.execute(edit.values(approver=word("approver"), remark=word("remark"), reason=word("reason")))
    slot = sa.update(slots.host_slot).where(slots.host_slot.c.tenant_id == made.ctx.id)
    await tx.execute(slot.values(reason=word("veto")))
    notice = sa.update(notice_store.notice).where(notice_store.notice.c.tenant_id == made.ctx.id)
    await tx.execute(notice.values(provider=word("provider"), reference=word("reference")))
    await misses.write(tx, word("question").lower(), 7, now.date())
    url = f"https://town.example/{word('link')}"
    await tx.execute(
        links.catalogue_link.insert().values(
            tenant_id=made.ctx.id,
            digest=links.digest_of(url),
            url=url,
            checked_at=now,
            status="404",
            failing_since=now,
        )
    )


async def _plant_run(tx: Transaction, made: Twin) -> None:
    """An import that failed, with its report."""
    slug, now, number = made.slug, tx.now(), await sources.next_run(tx)
    run = {"source": private(slug, "source"), "format": "csv", "digest": private(slug, "digest"), "state": "failed"}
    told = {"actor": private(slug, "importer"), "reason": private(slug, "failure")}
    report = {"place": private(slug, "place"), "kind": "service", "record": SERVICE, "decision": "refused"}
    await tx.execute(
        sources.catalogue_run.insert().values(
            tenant_id=made.ctx.id, run=number, **run, **told, position=1, started_at=now, ended_at=now
        )
    )
    await tx.execute(
        sources.catalogue_report.insert().values(
            tenant_id=made.ctx.id, run=number, number=1, **report, reason=private(slug, "reason")
        )
    )
    made.ids["run"] = str(number)


async def _plant_consent(tx: Transaction, made: Twin) -> None:
    """A consent that does not hold yet, and a session that somebody had by it."""
    now, operator = tx.now(), ids.new_id()
    consent = Consent(
        id=ids.new_id(),
        role="editor",
        reason=private(made.slug, "reason"),
        granted_by=UUID(made.ids["account"]),
        granted_at=now,
        starts_at=now + timedelta(hours=1),
        ends_at=now + timedelta(hours=2),
    )
    key = f"{made.slug}{consent.id}".encode()
    session = OperatorSession(key=key, consent=consent.id, operator=operator, started_at=now, seen_at=now)
    await consents.insert(tx, consent)
    await consents.insert_session(tx, session)
    made.ids["consent"] = str(consent.id)


def tenant_tables() -> list[sa.Table]:
    """Every table whose rows belong to a tenant."""
    return [table for table in metadata.sorted_tables if table.info.get("tenant")]
