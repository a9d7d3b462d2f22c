"""Section [applications] of a tenant file: its forms, and where what is submitted goes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from servicepunkt.core.applications.model import Form, FormField
from servicepunkt.core.catalogue.model import Text, stand_in
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.identification import ATTRIBUTES, LEVELS, TEST_PERSON, Identified
from servicepunkt.core.mail import ADDRESS
from servicepunkt.core.rules import Broken, Term, closest, rule
from servicepunkt.core.secrets import OWN_FILE
from servicepunkt.core.tenancy.model import TenantContext

SECTION = "applications"
FOLDER, EMAIL = "folder", "email"
#: Connectors that are always there.
BUILTIN = (FOLDER, EMAIL)
Mistake = tuple[str, Broken]

NO_SERVICE = rule("SP8261", "there is no {kind} {name!r}", "It has to be the id of one of the services.")
NO_APPLY = rule(
    "SP8262", "no offer of {name!r} says that one can apply", 'Its offer needs "apply" in `can`, or the form goes.'
)
FORM_TWICE = rule("SP8263", "a service has one form", "Put the fields of both into one form.")
FIELD_TWICE = rule("SP8264", "a form has one field of each name", "Give one of the two another name.")
NO_ATTRIBUTE = rule(
    "SP8265", "nobody knows the attribute {name!r}", "Known are those of the online ID, and what plugins make of them."
)
LOCKED_ALONE = rule(
    "SP8266", "a locked field needs an attribute that answers it", "Name one with `from`, or unlock the field."
)
UNASKED = rule("SP8267", "nobody identifies for this form, so nothing is known", "Raise `level`, or leave this out.")
CHOICES = rule("SP8268", "choices and the kind choice need each other", "Name what may be chosen, each value once.")
NO_CONNECTOR = rule(
    "SP8269", "there is no connector {name!r}; known are {known}", "A plugin that brings one has to be switched on."
)
NO_FOLDER = rule(
    "SP8270", "the folder is written as file:NAME", "It lies below the deployment's own folder, for this tenant alone."
)
NO_ADDRESS = rule("SP8271", "the connector email needs an address", "One address, without a name around it.")
NO_LANGUAGE = rule("SP8272", "this has no text in {language}", "Each language of the tenant needs one.")
UNREACHABLE = rule(
    "SP8273",
    "no plugin that is on identifies at the level {level}",
    "People are sent to the counter until one does.",
    warns=True,
)


class ApplicationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`folder` (file:NAME) and `email` (an address) are where the connectors of these names hand applications on."""

    forms: tuple[Form, ...] = ()
    folder: Annotated[str, Meta(max_length=105)] = ""
    email: Annotated[str, Meta(max_length=254)] = ""


def settings_of(ctx: TenantContext) -> ApplicationSettings:
    return ctx.section(SECTION, ApplicationSettings)


def form_of(ctx: TenantContext, service: str) -> Form | None:
    """The form of a service; None where nobody applies for it here."""
    return next((form for form in settings_of(ctx).forms if form.service == service), None)


def folder_name(reference: str) -> str:
    """The name in file:NAME; empty for what is none."""
    scheme, _, name = reference.partition(":")
    return name if scheme == "file" and OWN_FILE.match(name) else ""


def mistakes(draft: TenantDraft) -> list[Mistake]:
    """What a schema cannot see, as (place within the section, broken rule)."""
    settings = settings_of(draft.ctx)
    counted = Counter(form.service for form in settings.forms)
    twice = [
        (f"forms[{number}].service", FORM_TWICE())
        for number, form in enumerate(settings.forms)
        if counted[form.service] > 1
    ]
    each = [
        (f"forms[{number}].{place}", said)
        for number, form in enumerate(settings.forms)
        for place, said in _of_form(draft, form)
    ]
    return [*twice, *each, *_of_receivers(settings)]


def _of_receivers(settings: ApplicationSettings) -> Iterator[Mistake]:
    used = {form.connector for form in settings.forms}
    if (settings.folder or FOLDER in used) and not folder_name(settings.folder):
        yield "folder", NO_FOLDER()
    if (settings.email or EMAIL in used) and not ADDRESS.match(settings.email):
        yield "email", NO_ADDRESS()


def _of_form(draft: TenantDraft, form: Form) -> Iterator[Mistake]:
    services = [service.id for service in draft.catalogue.services]
    if form.service not in services:
        near = closest(form.service, services)
        yield "service", NO_SERVICE(kind=Term("service"), name=form.service, near=near)
    elif not any(one.service == form.service and "apply" in one.can for one in draft.catalogue.offers):
        yield "service", NO_APPLY(name=form.service)
    connectors = {*BUILTIN, *(one.name for one in draft.plugins.flat(draft.ctx, "application_connectors"))}
    if form.connector not in connectors:
        near = closest(form.connector, connectors)
        yield "connector", NO_CONNECTOR(name=form.connector, known=", ".join(sorted(connectors)), near=near)
    doors = draft.plugins.flat(draft.ctx, "identity_providers")
    if form.level and not any(one.level >= form.level for one in doors):
        yield "level", UNREACHABLE(level=LEVELS[form.level])
    yield from _of_texts(draft.ctx, (("purpose", form.purpose), ("consent", form.consent)))
    yield from _of_texts(draft.ctx, [("then", form.then)] if form.then else [])
    yield from _of_attributes(draft, form)
    counted = Counter(field.name for field in form.fields)
    for number, field in enumerate(form.fields):
        if counted[field.name] > 1:
            yield f"fields[{number}].name", FIELD_TWICE()
        for place, said in _of_field(draft.ctx, field):
            yield f"fields[{number}].{place}", said


def _of_field(ctx: TenantContext, field: FormField) -> Iterator[Mistake]:
    if field.locked and not field.source:
        yield "locked", LOCKED_ALONE()
    values = [one.value for one in field.choices]
    if (field.kind == "choice") != bool(values) or len(set(values)) < len(values):
        yield "choices", CHOICES()
    yield from _of_texts(ctx, [("label", field.label), *([("help", field.help)] if field.help else [])])
    yield from _of_texts(ctx, [(f"choices[{number}].words", one.words) for number, one in enumerate(field.choices)])


def _of_attributes(draft: TenantDraft, form: Form) -> Iterator[Mistake]:
    """Plugins are asked with the test person what they make of attributes."""
    at = f"{draft.day.isoformat()}T00:00:00Z"
    person = msgspec.convert(
        {"provider": "", "level": 3, "at": at, "proof": "", "attributes": dict(TEST_PERSON)}, Identified
    )
    known = {*ATTRIBUTES, *draft.plugins.flat(draft.ctx, "identity_attributes", identified=person)}
    if not form.level:
        yield from ((place, UNASKED()) for place in ("age", "community") if getattr(form, place))
    named = [(f"fields[{number}].from", field.source) for number, field in enumerate(form.fields) if field.source]
    also = [(f"also[{number}]", name) for number, name in enumerate(form.also)]
    for place, name in (*named, *also):
        if not form.level:
            yield place, UNASKED()
        elif name not in (ATTRIBUTES if place.startswith("also") else known):
            yield place, NO_ATTRIBUTE(name=name, near=closest(name, known))


def _of_texts(ctx: TenantContext, texts: list[tuple[str, Text]] | tuple[tuple[str, Text], ...]) -> Iterator[Mistake]:
    for place, text in texts:
        for language in ctx.languages:
            if not text or stand_in(text, language):
                yield place, NO_LANGUAGE(language=language)
