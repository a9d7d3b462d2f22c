"""Rules of an edit: one value of one service, written by people. States as a table. Pure.

A value stands at a path as layers have it: `summary/de`, `modules/11/000/en`, `links`. Values are kept as JSON with
sorted keys, so that equal ones are equal bytes; `null` as a value says that what stands below shall hold again. What
stood below when somebody wrote is kept with the edit: when it is another one now, a source has changed what the edit
covers, and people have to look (a conflict). Until they have, the edit holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec

from servicepunkt.core.catalogue import checks, html
from servicepunkt.core.catalogue.layers import MODULES, Path, Record, record_of
from servicepunkt.core.catalogue.layers import TEXTS as TEXTS_OF_ENTRIES
from servicepunkt.core.catalogue.model import MODULES as HEADINGS
from servicepunkt.core.catalogue.model import Channel, Service
from servicepunkt.core.errors import ConflictError, ServicepunktError

State = Literal["draft", "proposed", "approved", "rejected", "live", "withdrawn"]
Event = Literal["write", "propose", "approve", "reject", "take_back", "discard", "publish", "replace"]
STATES: tuple[State, ...] = get_args(State)
#: The states in which somebody still works on it: of one value there is one such edit.
OPEN: tuple[State, ...] = ("draft", "proposed", "approved", "rejected")
MOVES: Mapping[tuple[State | None, Event], State] = {
    (None, "write"): "draft",
    ("draft", "write"): "draft",
    ("proposed", "write"): "draft",
    ("approved", "write"): "draft",
    ("rejected", "write"): "draft",
    ("draft", "propose"): "proposed",
    ("draft", "approve"): "approved",
    ("proposed", "approve"): "approved",
    ("proposed", "reject"): "rejected",
    ("proposed", "take_back"): "draft",
    ("approved", "take_back"): "draft",
    ("rejected", "take_back"): "draft",
    ("draft", "discard"): "withdrawn",
    ("rejected", "discard"): "withdrawn",
    ("approved", "publish"): "live",
    ("live", "replace"): "withdrawn",
}

#: What people do with an edit that is there, beside writing on it.
VERBS: tuple[str, ...] = ("propose", "approve", "reject", "take_back", "discard", "withdraw")

#: What editors write: texts by language, modules, and these fields as a whole.
TEXTS: tuple[str, ...] = tuple(name for name in Service.__struct_fields__ if name in TEXTS_OF_ENTRIES)
WHOLE: tuple[str, ...] = ("documents", "links", "keywords", "visibility")
#: Modules that for every channel are fields of the service itself.
OWN_FIELDS = ("02", "03", "05", "06")
NOTHING = b"null"
LONGEST_REMARK = 1000

DOES_NOT_FIT = "What you entered here does not fit."
MISSING_NAME = "A service needs a name."
MISSING_OWN_NAME = "A service that everybody sees needs its name in the town's own language."
# How the sentences of the checks begin, and what is said for them to people who type.
SAID: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"a name is plain text"), "A name is plain text, without HTML."),
    (re.compile(r"a service has a name"), MISSING_NAME),
    (re.compile(r"a text has at most"), "This text is too long."),
    (re.compile(r"a text holds no control character"), "This text holds a character that cannot be shown."),
    (re.compile(r"this HTML holds"), "This HTML holds something that is not shown."),
    (re.compile(r"an address begins with"), "An address begins with https:// or http://."),
    (re.compile(r"a service that ends says so"), "A service with a last day says in a text that it has ended."),
)
Mistake = tuple[str, str]


class OwnEditError(ServicepunktError):
    """Four eyes are wanted, and these two were there already."""

    code = "SP2010"
    status = 409
    citizen = "Somebody else has to approve what you wrote."
    staff = "Who wrote an edit cannot approve it."
    next_step = "Ask a colleague to look at it."


class DraftWaitsError(ServicepunktError):
    """What is in force cannot be withdrawn while somebody works on the same value."""

    code = "SP2011"
    status = 409
    citizen = "Somebody is working on a new text for this."
    staff = "An edit of this value waits."
    next_step = "Publish that draft first, or let it be given up."


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """`authors`: everybody who wrote on it, the last one as `author`, each as the audit chain names him.

    `remark`: what was said when it was approved or rejected. `reason`: why its publication was refused, for people.
    """

    id: UUID
    service: str
    path: Path
    value: bytes
    below: bytes
    state: State = "draft"
    author: str
    authors: tuple[str, ...]
    approver: str = ""
    remark: str = ""
    publish_on: date | None = None
    reason: str = ""
    created_at: datetime
    changed_at: datetime

    @property
    def said(self) -> Any:
        """The value; None where what stands below shall hold again."""
        return decoded(self.path, self.value)

    @property
    def stood_below(self) -> Any:
        return decoded(self.path, self.below)

    @property
    def mark(self) -> str:
        """What a page shows of it, and what it must still be when somebody decides about it."""
        return mark_of(encoded([self.id, self.state, self.authors, self.publish_on]) + self.value)


def mark_of(seen: bytes) -> str:
    """A few letters that are others when something else was seen."""
    return hashlib.sha256(seen).hexdigest()[:20]


def move(state: State | None, event: Event) -> State:
    """Raises ConflictError."""
    if (to := MOVES.get((state, event))) is None:
        raise ConflictError(f"an edit that is {state} cannot {event}")
    return to


def approved(edit: Edit, actor: str, *, four_eyes: bool) -> State:
    """The state after `actor` approves. Raises OwnEditError, ConflictError."""
    if four_eyes and actor in edit.authors:
        raise OwnEditError
    if four_eyes and edit.state == "draft":
        raise ConflictError("a draft is proposed before it is approved")
    return move(edit.state, "approve")


def verbs(edit: Edit, actor: str, *, four_eyes: bool, waits: bool) -> list[str]:
    """What `actor` can do with an edit. `waits`: whether somebody works on a value that is in force."""
    found = [verb for verb in VERBS if (edit.state, verb) in MOVES]
    if edit.state == "live" and not waits:
        found.append("withdraw")
    if four_eyes and (actor in edit.authors or edit.state == "draft"):
        found = [verb for verb in found if verb != "approve"]
    return found if four_eyes else [verb for verb in found if verb != "propose"]


def is_in(name: str, edit: Edit, actor: str) -> bool:
    """Whether an edit stands in one of the lists that `actor` looks at."""
    match name:
        case "mine":
            return edit.state in OPEN and actor in edit.authors
        case "waiting":
            return edit.state == "proposed"
        case "approved":
            return edit.state == "approved"
        case "refused":
            return edit.state == "approved" and bool(edit.reason)
        case _:
            return edit.state == "live"


def is_due(edit: Edit, today: date) -> bool:
    """Whether the next publication takes it in."""
    return edit.state == "approved" and (edit.publish_on is None or edit.publish_on <= today)


def is_in_conflict(edit: Edit, below: bytes) -> bool:
    """Whether a source has changed what the edit covers. When the source says the same now, there is nothing to ask."""
    return below not in (edit.below, edit.value)


def is_answered(waiting: Edit | None, below: bytes) -> bool:
    """Whether an edit that waits to be published was written knowing what stands below now."""
    return waiting is not None and waiting.state in ("proposed", "approved") and waiting.below == below


def encoded(value: Any) -> bytes:
    """A value as it is kept and compared."""
    return msgspec.json.encode(value, order="sorted")


def decoded(path: Path, value: bytes) -> Any:
    found = msgspec.json.decode(value)
    # A module's text says whether a machine has put it into its language; JSON knows no pairs.
    return tuple(found) if path.startswith(f"{MODULES}/") and isinstance(found, list) else found


def text_of(path: Path, value: Any) -> str:
    """The text that a value is, empty where it is none."""
    said = value[0] if path.startswith(f"{MODULES}/") and value else value
    return said if isinstance(said, str) else ""


def value_of(path: Path, text: str) -> Any:
    """The value that a text is at this path; what people write no machine has translated."""
    return (text, False) if path.startswith(f"{MODULES}/") else text


def field_of(path: Path) -> str:
    """What belongs together in one form: the path without its language."""
    return path if path in WHOLE else path.rpartition("/")[0]


def language_of(path: Path) -> str:
    return "" if path in WHOLE else path.rpartition("/")[2]


def is_field(field: str) -> bool:
    """Whether editors write it."""
    name, _, rest = field.partition("/")
    if name != MODULES:
        return field in (*TEXTS, *WHOLE)
    code, _, channel = rest.partition("/")
    known = code in HEADINGS or checks.OWN_MODULE.match(code) is not None
    return known and channel in get_args(Channel) and not (code in OWN_FIELDS and channel == "000")


def is_path(path: Path) -> bool:
    """Whether editors write a value there."""
    field = field_of(path)
    has_language = field not in WHOLE and checks.LANGUAGE.match(language_of(path)) is not None
    return path in WHOLE or (has_language and is_field(field))


def written(text: str) -> str:
    """A long text as it is kept: lines as everywhere, HTML without what is not shown."""
    said = written_plain(text)
    return html.clean(said) if html.is_html(said) else said


def written_plain(text: str) -> str:
    """A text whose lines end as everywhere, without spaces around them."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()


def overlay(edits: Iterable[Edit]) -> tuple[dict[tuple[str, str], Record], list[Edit]]:
    """What edits say together, as partial records of services; and the edits that fit no service any more."""
    found: dict[str, dict[Path, Any]] = {}
    misfits = []
    for edit in edits:
        if not fits(edit.path, edit.said):
            misfits.append(edit)
        elif edit.said is not None:
            found.setdefault(edit.service, {})[edit.path] = edit.said
    return {("services", name): record_of(values, with_empty=True) for name, values in found.items()}, misfits


def fits(path: Path, value: Any) -> bool:
    """Whether a service can have this value there."""
    if not is_path(path):
        return False
    if value is None:
        return True
    if path not in WHOLE:
        return _is_module_text(value) if path.startswith(f"{MODULES}/") else isinstance(value, str)
    try:
        msgspec.convert({"id": "x", path: value}, Service)
    except msgspec.ValidationError:
        return False
    return True


def _is_module_text(value: Any) -> bool:
    match value:
        case (str(), bool()):
            return isinstance(value, tuple)
    return False


def mistakes(record: Record, typed: Mapping[Path, Any], locale: str) -> list[Mistake]:
    """What is wrong with typed values of a service that would be `record` with them: every (place, sentence) at once.

    `locale`: the tenant's own language. The place of a text is its path, of a part of a list as `links.0.url`; the
    sentences are message ids.
    """
    found = [(path, DOES_NOT_FIT) for path, value in typed.items() if not fits(path, value)]
    if found:
        return found
    service = msgspec.convert(record, Service)
    words = (
        mistake
        for number, word in enumerate(service.keywords)
        for mistake in checks.text_mistakes(f"keywords[{number}]", {"de": word})
    )
    for place, sentence in (*checks.service_mistakes(service), *words):
        found += [(where, _said(sentence)) for where in _places(place, service, typed)]
    if service.name and not has_own_name(service, locale):
        found += [(path, MISSING_OWN_NAME) for path in names_it(typed, locale)]
    return list(dict.fromkeys(found))


def has_own_name(service: Service, locale: str) -> bool:
    """Whether the public reads a service's name in the tenant's own language.

    This is asked of what editors write. What sources say in other languages alone may be published.
    """
    return service.visibility != "public" or any(service.name.get(one) for one in (locale, locale.partition("-")[0]))


def names_it(paths: Iterable[Path], locale: str) -> list[Path]:
    """The values among these that decide whether the public reads a service's name in the tenant's language."""
    deciding = ("visibility", f"name/{locale}", f"name/{locale.partition('-')[0]}")
    return [path for path in paths if path in deciding]


def _places(place: str, service: Service, typed: Mapping[Path, Any]) -> list[str]:
    """The typed values that a place of the checks means; none for what was not typed."""
    parts = place.replace("[", ".").replace("]", "").split(".")
    field = parts[0]
    if field in WHOLE:
        return [".".join(parts)] if field in typed else []
    if field == MODULES:
        if not parts[1].isdecimal() or place.startswith(f"{MODULES}.{parts[1]}"):
            return [path for path in typed if path.startswith(f"{MODULES}/{parts[1]}/")]
        module = service.modules[int(parts[1])]
        path = "/".join([MODULES, module.code, module.channel, *parts[3:]])
    else:
        path = "/".join(parts)
    return [path] if path in typed else [one for one in typed if one.startswith(f"{path}/")]


def _said(sentence: str) -> str:
    return next((said for pattern, said in SAID if pattern.match(sentence)), DOES_NOT_FIT)
