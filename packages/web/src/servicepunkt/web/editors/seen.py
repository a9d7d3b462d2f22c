"""What editors' pages show: values with their origin, edits, differences, people by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response

from servicepunkt.core.catalogue import html, links
from servicepunkt.core.catalogue.editing import difference, model, publishing, store
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.editing.difference import EntryChange, Piece, plain_text
from servicepunkt.core.catalogue.editing.languages import lacks
from servicepunkt.core.catalogue.editing.model import Edit
from servicepunkt.core.catalogue.editing.service import Conflict, Sight, Value
from servicepunkt.core.catalogue.model import Catalogue, pick
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.people import store as people
from servicepunkt.web import access
from servicepunkt.web.editors import words
from servicepunkt.web.editors.forms import ROWS, Column
from servicepunkt.web.editors.tasks import HREF
from servicepunkt.web.frame import language
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import catalogue_of, spoken_moment

LONGEST_SHOWN = 700  # letters of a value in a list
READ, EDIT = "catalogue.read", "catalogue.edit"


class Tab(msgspec.Struct, frozen=True):
    """A page of the workplace; `count` is what waits there, None where nothing is counted."""

    title: str
    href: str
    count: int | None = None


class ValueSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A value as a reader sees it: in plain text, with who says it. `changed`: when an editor did, and who."""

    path: str
    language: str
    text: str
    is_cut: bool
    origin: str
    changed: str
    by: str
    waiting: EditSeen | None
    translated: bool


class FieldSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A field in all its languages. `heading` and `channel` are message ids."""

    field: str
    heading: str
    channel: str
    values: tuple[ValueSeen, ...]
    can_be_written: bool


class EditSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An edit in a list. `state` and the parts of what it is about are message ids; `name` is its service's."""

    id: UUID
    service: str
    name: Mapping[str, str]
    field: str
    heading: str
    channel: str
    language: str
    state: str
    word: str
    text: str
    gives_back: bool
    author: str
    approver: str
    remark: str
    reason: str
    publish_on: date | None
    changed: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A value in two states, word by word."""

    heading: str
    channel: str
    language: str
    pieces: tuple[Piece, ...]


class ChangeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the catalogue that differs. `kind` and `sign` are message ids."""

    id: str
    kind: str
    sign: str
    mark: str
    name: Mapping[str, str]
    is_service: bool
    values: tuple[Compared, ...]


class ConflictSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A live edit whose source has changed: three values, and what changed below it word by word. `waiting`: what
    somebody works on there."""

    edit: EditSeen
    waiting: EditSeen | None
    gone: bool
    mine: str
    then: str
    now: str
    pieces: tuple[Piece, ...]
    origin: str
    seen: str


class Readers(msgspec.Struct, frozen=True):
    """What it takes to show things to one person: the language, the present, and names. `say` translates."""

    say: Callable[[str], str]
    locale: str
    now: datetime
    ctx: Any
    accounts: Mapping[str, str]
    catalogue: Catalogue

    def moment(self, instant: datetime | None) -> str:
        return spoken_moment(instant, self.now, self.locale, self.ctx)

    def actor(self, name: str) -> str:
        """Somebody's name; what is not a person as a message id."""
        return self.accounts.get(name) or words.ACTORS.get(name, name)

    def service_name(self, service: str) -> Mapping[str, str]:
        found = self.catalogue.service(service)
        return found.name if found and found.name else {"": service}

    def edit(self, edit: Edit) -> EditSeen:
        heading, channel = words.heading(model.field_of(edit.path))
        return EditSeen(
            id=edit.id,
            service=edit.service,
            name=self.service_name(edit.service),
            field=model.field_of(edit.path),
            heading=heading,
            channel=channel,
            language=model.language_of(edit.path),
            state=edit.state,
            word=words.STATES[edit.state],
            text=cut(self.shown(edit.path, edit.said))[0],
            gives_back=edit.said is None,
            author=self.actor(edit.author),
            approver=self.actor(edit.approver) if edit.approver else "",
            remark=edit.remark,
            reason=edit.reason,
            publish_on=edit.publish_on,
            changed=self.moment(edit.changed_at),
        )

    def shown(self, path: str, value: Any) -> str:
        """A value in plain text."""
        if path in ROWS and isinstance(value, list):
            return "\n".join(self._row(ROWS[path], one) for one in value)
        if path == "visibility" and value in words.VISIBILITIES:
            return self.say(words.VISIBILITIES[value])
        if path == "themes" and isinstance(value, list):
            found = (self.catalogue.theme(name) for name in value)
            return "\n".join(
                pick(one.name, self.locale) if one else name for name, one in zip(value, found, strict=True)
            )
        if path == "competence" and (partner := self.catalogue.partner(str(value))) is not None:
            return partner.name
        return html.plain(plain_text(path, value))

    def _row(self, columns: Sequence[Column], row: Mapping[str, Any]) -> str:
        """What a row says: the words in each language, then what holds of it."""
        said = []
        for column in columns:
            value = row.get(column.name, column.default)
            match column.kind:
                case "text":
                    said.append(" / ".join(value.values()) if value else "")
                case "choice":
                    said.append(self.say(column.choices.get(value, value)))
                case "yes":
                    said.append(self.say(column.label) if value else "")
                case _:
                    said.append(value or "")
        known = {column.name for column in columns}
        others = (f"{name}: {plain_text(name, one)}" for name, one in row.items() if name not in known and one)
        usual = {"direction: in", "channel: 000"}
        return "– " + " · ".join(one for one in (*said, *(one for one in others if one not in usual)) if one)

    def compared(self, path: str, before: Any, after: Any) -> Compared:
        field = model.field_of(path) if model.is_path(path) else path
        heading, channel = words.heading(field)
        return Compared(
            heading=heading,
            channel=channel,
            language=model.language_of(path) if model.is_path(path) else "",
            pieces=self.pieces(path, before, after),
        )

    def pieces(self, path: str, before: Any, after: Any) -> tuple[Piece, ...]:
        return tuple(difference.words(self.shown(path, before), self.shown(path, after)))

    def value(self, value: Value, source: str) -> ValueSeen:
        text, is_cut = cut(self.shown(value.path, value.said))
        return ValueSeen(
            path=value.path,
            language=model.language_of(value.path) if model.is_path(value.path) else "",
            text=text,
            is_cut=is_cut,
            origin=source,
            changed=self.moment(value.live.changed_at) if value.live else "",
            by=self.actor(value.live.author) if value.live else "",
            waiting=self.edit(value.waiting) if value.waiting else None,
            translated=isinstance(value.said, tuple) and value.said[1],
        )


async def readers(tx: Transaction, request: Request[Any, Any, Any]) -> Readers:
    accounts = {f"account:{one.id}": one.name for one in await people.all_accounts(tx)}
    texts, locale = access.deployment_of(request).texts, language(request)
    say = partial(texts.translate, locale)
    return Readers(say, locale, tx.now(), tx.ctx, accounts, await catalogue_of(request))


def cut(text: str) -> tuple[str, bool]:
    """At most so much of a text as a list shows, and whether there is more."""
    return (text, False) if len(text) <= LONGEST_SHOWN else (text[:LONGEST_SHOWN].rsplit(" ", 1)[0] + " …", True)


def fields(sight: Sight, reader: Readers, languages: Sequence[str]) -> tuple[list[FieldSeen], list[FieldSeen]]:
    """The fields that editors write, all of the service's own ones and the modules that there are; and the others."""
    present: dict[str, None] = dict.fromkeys((*model.TEXTS, *model.WHOLE))
    for path in sight.values:
        if model.is_path(path):
            present[model.field_of(path)] = None
    order = [*model.TEXTS[:4], *(one for one in present if one.startswith("modules/")), *model.WHOLE, *model.TEXTS[4:]]
    own = [_field(sight, reader, field, languages) for field in order]
    others = [_field(sight, reader, path, ()) for path in sight.values if path in words.OTHERS and sight.at(path).said]
    return own, others


def _field(sight: Sight, reader: Readers, field: str, languages: Sequence[str]) -> FieldSeen:
    heading, channel = words.heading(field)
    is_whole = field in model.WHOLE or field in words.OTHERS
    own = [path for path in sight.values if not is_whole and path.startswith(f"{field}/")]
    paths = [field] if is_whole else list(dict.fromkeys((*(f"{field}/{one}" for one in languages), *own)))
    return FieldSeen(
        field=field,
        heading=heading,
        channel=channel,
        values=tuple(reader.value(sight.at(path), words.source(sight.at(path).origin)) for path in paths),
        can_be_written=model.is_field(field),
    )


def change(one: EntryChange, reader: Readers) -> ChangeSeen:
    name = one.name
    values = one.values() if one.sign == "changed" else []
    return ChangeSeen(
        id=one.id,
        kind=words.KINDS[one.kind],
        sign=words.SIGNS[one.sign],
        mark=one.sign,
        name=name if isinstance(name, Mapping) else {"": str(name or one.id)},
        is_service=one.kind == "services",
        values=tuple(reader.compared(path, before, after) for path, before, after in values),
    )


def conflict(one: Conflict, reader: Readers) -> ConflictSeen:
    path = one.edit.path
    return ConflictSeen(
        edit=reader.edit(one.edit),
        waiting=reader.edit(one.waiting) if one.waiting else None,
        gone=one.gone,
        mine=reader.shown(path, one.edit.said),
        then=reader.shown(path, one.edit.stood_below),
        now=reader.shown(path, one.below_now),
        pieces=reader.pieces(path, one.edit.stood_below, one.below_now),
        origin=words.source(one.origin),
        seen=one.mark,
    )


TITLES = ("Services", "Changes", "Questions", "Publish", "Translations", "Dead links", "Revisions", "Sources")


async def tabs(tx: Transaction, visitor: Visitor, catalogue: Catalogue) -> list[Tab]:
    """The pages of the workplace with what waits there."""
    found = [Tab("Services", HREF)]
    if visitor.may(EDIT):
        found += [
            Tab("Changes", f"{HREF}/changes", await store.count(tx, ("proposed",))),
            Tab("Questions", f"{HREF}/questions", len(await editing.conflicts(tx))),
            Tab("Publish", f"{HREF}/publish", len(await publishing.due(tx))),
        ]
    missing = len({lack.service for lack in lacks(catalogue, tx.ctx.languages)})
    return [
        *found,
        Tab("Translations", f"{HREF}/translations", missing),
        Tab("Dead links", f"{HREF}/links", await links.count_dead(tx)),
        Tab("Revisions", f"{HREF}/revisions"),
        Tab("Sources", f"{HREF}/sources"),
    ]


async def editors_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    template: str,
    *,
    status: int = 200,
    mistakes: Iterable[tuple[str, str]] = (),
    **values: Any,
) -> Response[str]:
    """A page of the workplace, with its tabs."""
    async with access.deployment_of(request).database.tenant(access.tenant_of(request)) as tx:
        found = await tabs(tx, visitor, await catalogue_of(request))
    return await staff_page(
        request,
        visitor,
        template,
        status=status,
        tabs=found,
        may_edit=visitor.may(EDIT),
        mistakes=list(mistakes),
        **values,
    )
