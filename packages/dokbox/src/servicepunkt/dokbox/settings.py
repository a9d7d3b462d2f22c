"""Section [dokbox] of a tenant file: the boxes and the document types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.notices.settings import NoticeSettings
from servicepunkt.core.notices.templates import places
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox.model import MAX_ATTEMPTS
from servicepunkt.dokbox.policy import DocumentPolicy, LocalText, Settings

SECTION = "dokbox"
Mistake = tuple[str, str]


class BoxSettings(Settings, frozen=True, kw_only=True):
    """One box. `rows_by_reach` lists the rows from 1 (top), the most convenient first.

    `low_rows` can be reached from a wheelchair; they are kept free for those who need them.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
    point: str
    name: dict[str, str]
    compartments: Annotated[int, Meta(ge=1, le=480)]
    rows: Annotated[int, Meta(ge=1, le=40)] = 8
    rows_by_reach: tuple[int, ...] = ()
    low_rows: tuple[int, ...] = ()
    local_url: str = ""


class DokboxSettings(Settings, frozen=True, kw_only=True):
    """The section. `counter` says in each language where a document lies that is no longer in a box."""

    boxes: tuple[BoxSettings, ...] = ()
    documents: tuple[DocumentPolicy, ...] = ()
    counter: LocalText = msgspec.field(default_factory=dict)
    max_attempts: Annotated[int, Meta(ge=3, le=10)] = MAX_ATTEMPTS
    retention_days: Annotated[int, Meta(ge=1, le=3650)] = 90

    def box(self, box_id: str) -> BoxSettings | None:
        return next((box for box in self.boxes if box.id == box_id), None)

    def document(self, kind: str) -> DocumentPolicy | None:
        return next((policy for policy in self.documents if policy.type == kind), None)


def settings_of(ctx: TenantContext) -> DokboxSettings:
    """The tenant's section, checked when its file was read."""
    return ctx.section(SECTION, DokboxSettings)


def countries_of(ctx: TenantContext) -> tuple[str, ...]:
    """Whose mobile numbers desk and box take: those to which the worker sends."""
    return ctx.section("notices", NoticeSettings).countries


def mistakes(ctx: TenantContext, templates: Mapping[str, NoticeTemplate]) -> list[Mistake]:
    """Every mistake that a schema cannot see, as (place, sentence). `templates`: the tenant's, by name."""
    settings = settings_of(ctx)
    ids, types = Counter(box.id for box in settings.boxes), Counter(policy.type for policy in settings.documents)
    found = [(f"boxes {name}", "this id is taken") for name, count in ids.items() if count > 1]
    found += [(f"documents {name}", "this type is taken") for name, count in types.items() if count > 1]
    found += [(f"boxes {box.id}", sentence) for box in settings.boxes for sentence in _row_mistakes(box)]
    return found + [
        (f"documents {policy.type}", sentence)
        for policy in settings.documents
        for sentence in _text_mistakes(policy, templates)
    ]


def _row_mistakes(box: BoxSettings) -> Iterator[str]:
    for field, rows in (("rows_by_reach", box.rows_by_reach), ("low_rows", box.low_rows)):
        if outside := sorted({row for row in rows if not 1 <= row <= box.rows}):
            yield f"{field}: rows go from 1 to {box.rows}, there is no {', '.join(map(str, outside))}"
        if len(set(rows)) < len(rows):
            yield f"{field}: a row stands there twice"


def _text_mistakes(policy: DocumentPolicy, templates: Mapping[str, NoticeTemplate]) -> Iterator[str]:
    sealed = {"code", "number"} if policy.locator == "pickup_number" else {"code"}
    for field, name, needed in (
        ("notice", policy.notice_template, sealed),
        ("reminder", policy.reminder, set[str]()),
        ("withdrawn", policy.withdrawn, set[str]()),
    ):
        template = templates.get(name)
        if template is None:
            yield f"{field}: there is no text {name!r}"
            continue
        if template.channel == "email" and policy.channel == "sms":
            yield f"{field}: {name!r} is a text for mail"
        for language, text in template.texts.items():
            try:
                used = places(text)
            except ValueError:  # named where all texts are checked
                continue
            yield from (f"{field}: {name!r} has no {{{place}}} in {language}" for place in sorted(needed - used))
            if wrong := sorted(used & ({"code", "number"} - needed)):
                yield f"{field}: {name!r} has {{{wrong[0]}}} in {language}, which is not known then"
