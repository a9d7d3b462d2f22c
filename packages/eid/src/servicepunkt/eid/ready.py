"""Whether people can identify: readers report, somebody has come through to the end, and wallets would answer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import sqlalchemy as sa
from cryptography import x509
from cryptography.x509.oid import NameOID

from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.rules import Broken, Term, rule
from servicepunkt.core.settings import read_settings
from servicepunkt.core.tenancy import store as tenancy
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.sessions import readers
from servicepunkt.eid.sessions.card import NAME
from servicepunkt.eid.sessions.party import Party, WalletNotReadyError
from servicepunkt.eid.settings import WalletSettings, settings_of
from servicepunkt.eid.wallet.request import host_of

NOT_WELL = rule("SP4428", "{reader!r}: {why}")
NOBODY_YET = rule(
    "SP4429",
    "nobody has identified with a card yet",
    "Identify once with a test card, to the end: then the eID service answers as it should.",
)


class CardReady:
    """Each reader of the file reports, and somebody has identified from beginning to end."""

    title = "Online ID"

    def __init__(self, ctx: TenantContext) -> None:
        self._settings = settings_of(ctx)

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        found = []
        for one in self._settings.readers:
            now = await readers.seen(tx, one)
            if now.state != "online":
                found.append(NOT_WELL(reader=one.id, why=Term(now.words)))
        if self._settings.service and not await _ever_identified(tx):
            found.append(NOBODY_YET())
        return found


async def _ever_identified(tx: Transaction) -> bool:
    query = sa.select(audit_entry.c.details).where(
        audit_entry.c.tenant_id == tx.tenant_id, audit_entry.c.action == "identification.identified"
    )
    return any(msgspec.json.decode(said).get("door") == NAME for said in (await tx.execute(query)).scalars())


UNREADABLE = rule(
    "SP4444", "{what} cannot be used", "It has to be PEM; `trust` may be a list in JSON that still holds."
)
OTHER_KEY = rule("SP4445", "the certificate belongs to another key", "Name the key with which it was asked for.")
EXPIRED = rule("SP4446", "the certificate does not hold today, but from {begin} to {end}", "Ask for a new one.")
EXPIRES = rule("SP4447", "the certificate ends on {end}", "Ask for a new one in time.", warns=True)
NO_HOST = rule("SP4448", "with x509_san_dns the certificate names one host; this one does not")
OTHER_HOST = rule(
    "SP4449", "the certificate is for {host!r}, and the town is not found there", "Add the host to `hosts`."
)
PRACTICE = rule("SP4450", "{issuer!r} issues to practise", "Name the issuers of real wallets under `trust`.")
ISSUERS, CERTIFICATE, KEY = Term("the list of issuers"), Term("the certificate"), Term("the key")
SOON = timedelta(days=30)
#: What the names of issuers begin with that are made to practise.
PRACTISING = "Testland"


class WalletReady:
    """Certificate, key and trusted issuers of the wallet's door. `home`: the deployment's, as the doctor finds it."""

    title = "Identifying with a wallet"

    def __init__(self, ctx: TenantContext, home: Path | None = None) -> None:
        self._ctx, self._home = ctx, home

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        settings = settings_of(self._ctx).wallet
        if settings is None:
            return []
        home = self._home or read_settings(os.environ).home
        party = Party(settings, slug=self._ctx.slug, home=home)
        hosts = await tenancy.hosts_of(tx.connection, tx.tenant_id)
        return [*_of_issuers(party, tx.now()), *_of_certificate(party, settings, hosts, tx.now())]


def _of_issuers(party: Party, now: datetime) -> Iterator[Broken]:
    try:
        anchors = party.anchors(now)
    except WalletNotReadyError:
        yield UNREADABLE(what=ISSUERS)
        return
    for one in anchors.certificates:
        name = _common_name(one)
        if name.startswith(PRACTISING):
            yield PRACTICE(issuer=name)


def _of_certificate(party: Party, settings: WalletSettings, hosts: Sequence[str], now: datetime) -> Iterator[Broken]:
    try:
        own = party.chain()[0]
    except WalletNotReadyError:
        yield UNREADABLE(what=CERTIFICATE)
        return
    begin, end = own.not_valid_before_utc, own.not_valid_after_utc
    if not begin <= now <= end:
        yield EXPIRED(begin=begin.date().isoformat(), end=end.date().isoformat())
    elif end - now < SOON:
        yield EXPIRES(end=end.date().isoformat())
    if settings.prefix == "x509_san_dns":
        yield from _of_host(own, hosts)
    try:
        if party.key().public_key() != own.public_key():
            yield OTHER_KEY()
    except WalletNotReadyError:
        yield UNREADABLE(what=KEY)


def _of_host(own: x509.Certificate, hosts: Sequence[str]) -> Iterator[Broken]:
    try:
        host = host_of(own)
    except ValueError:
        yield NO_HOST()
        return
    if host.lower() not in {one.lower() for one in hosts}:
        yield OTHER_HOST(host=host)


def _common_name(one: x509.Certificate) -> str:
    found = one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""
