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
from servicepunkt.core.rules import rule
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox.model import MAX_ATTEMPTS
from servicepunkt.dokbox.policy import SENTENCES, DocumentPolicy, LocalText, Settings

SECTION = "dokbox"
Mistake = tuple[str, str]

POLICY_RULES = [rule(code, sentence) for code, sentence in SENTENCES.items()]
BOX_TWICE = rule("SP3111", "this id is taken")
TYPE_TWICE = rule("SP3112", "this type is taken")
NO_ROW = rule("SP3113", "rows go from 1 to {rows}, there is no {outside}")
ROW_TWICE = rule("SP3114", "a row stands there twice")
NO_TEXT = rule("SP3115", "there is no text {name!r}")
TEXT_FOR_MAIL = rule("SP3116", "{name!r} is a text for mail")
PLACE_MISSING = rule("SP3117", "{name!r} has no {{{place}}} in {language}")
PLACE_UNKNOWN = rule("SP3118", "{name!r} has {{{place}}} in {language}, which is not known then")


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
    """The section. `counter` says in each language where a document lies that is no longer in a box.

    `yearly_documents`: how many the town expects in a year, for a look at whether the compartments last.
    """

    boxes: tuple[BoxSettings, ...] = ()
    documents: tuple[DocumentPolicy, ...] = ()
    counter: LocalText = msgspec.field(default_factory=dict)
    yearly_documents: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
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
    return [
        *((f"boxes.{name}", BOX_TWICE()) for name, count in ids.items() if count > 1),
        *((f"documents.{name}", TYPE_TWICE()) for name, count in types.items() if count > 1),
        *((f"boxes.{box.id}.{place}", said) for box in settings.boxes for place, said in _row_mistakes(box)),
        *(
            (f"documents.{policy.type}.{place}", said)
            for policy in settings.documents
            for place, said in _text_mistakes(policy, templates)
        ),
    ]


def _row_mistakes(box: BoxSettings) -> Iterator[Mistake]:
    for field, rows in (("rows_by_reach", box.rows_by_reach), ("low_rows", box.low_rows)):
        if outside := sorted({row for row in rows if not 1 <= row <= box.rows}):
            yield field, NO_ROW(rows=box.rows, outside=", ".join(map(str, outside)))
        if len(set(rows)) < len(rows):
            yield field, ROW_TWICE()


def _text_mistakes(policy: DocumentPolicy, templates: Mapping[str, NoticeTemplate]) -> Iterator[Mistake]:
    sealed = {"code", "number"} if policy.locator == "pickup_number" else {"code"}
    for field, name, needed in (
        ("notice", policy.notice_template, sealed),
        ("reminder", policy.reminder, set[str]()),
        ("withdrawn", policy.withdrawn, set[str]()),
    ):
        template = templates.get(name)
        if template is None:
            yield field, NO_TEXT(name=name)
            continue
        if template.channel == "email" and policy.channel == "sms":
            yield field, TEXT_FOR_MAIL(name=name)
        for language, text in template.texts.items():
            try:
                used = places(text)
            except ValueError:  # named where all texts are checked
                continue
            missing, unknown = sorted(needed - used), sorted(used & ({"code", "number"} - needed))
            yield from ((field, PLACE_MISSING(name=name, place=place, language=language)) for place in missing)
            yield from ((field, PLACE_UNKNOWN(name=name, place=place, language=language)) for place in unknown[:1])
