"""Messages that did not arrive, for staff: when, by whom, and why; never to whom."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices import store
from servicepunkt.core.notices.model import NEVER_SENT, Notice
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.frame import language
from servicepunkt.web.notices.tasks import HREF
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import spoken_moment

KIND_WORDS = {"sms": "SMS", "email": "E-mail"}
REASON_WORDS = {
    "limit": "Too many messages to this number, from this box or in this hour: not sent.",
    "number": "Not a mobile number to which messages are sent: not sent.",
    "rehearsal": "Rehearsal: this recipient is not on the list, so it was not sent.",
    "unreadable": "The case was closed before the message went out: not sent.",
    "incomplete": "The text has a place for which there is no value: not sent. The tenant file names the text.",
    "expired": "It could not be sent in time, and is of no use any more: not sent.",
}
STATE_WORDS = {
    "created": "Waits for more than a quarter of an hour; perhaps no worker runs.",
    "sending": "Waits for more than a quarter of an hour; the log of the worker says why.",
    "sent": "Accepted more than a day ago, and nothing was heard since.",
    "temporary-failure": "Could not be delivered so far.",
    "permanent-failure": "Refused: the number or the address cannot be reached.",
    "technical-failure": "No provider took it, however often it was tried.",
}


class NoticeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as staff read it: words are message ids, `reference` is what the provider calls it."""

    kind: str
    when: str
    why: str
    source: str
    provider: str
    reference: str


def seen(notice: Notice, when: str) -> NoticeSeen:
    never = notice.reference in NEVER_SENT and notice.sent_at is None
    return NoticeSeen(
        kind=KIND_WORDS.get(notice.channel, notice.channel),
        when=when,
        why=REASON_WORDS.get(notice.reference, "") if never else STATE_WORDS[notice.state],
        source=notice.source,
        provider=notice.provider,
        reference="" if never else notice.reference,
    )


@get(HREF, guards=[access.permission("notices.read")])
async def notices(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """What did not arrive within the last week, the newest first."""
    now, locale = deployment.clock.now(), language(request)
    async with deployment.database.tenant(ctx) as tx:
        found = await store.unfortunate(tx, now)
    rows = [seen(notice, spoken_moment(notice.created_at, now, locale, ctx)) for notice in found]
    return await staff_page(request, visitor, "web/staff_notices.html", notices=rows)


HANDLERS = (notices,)
