"""Read a tenant's folder and name everything that is wrong with it: in files, in the schema, in the sense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import cast

import msgspec

from servicepunkt.core.applications.settings import NO_APPLY
from servicepunkt.core.catalogue import checks as catalogue_checks
from servicepunkt.core.declarations import TenantDraft, TenantSection
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.notices.templates import missing_language, template_mistakes
from servicepunkt.core.retention import unruled
from servicepunkt.core.rules import Broken
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.tenants import checks, decoding, files, model
from servicepunkt.tenants.areas import LANDS
from servicepunkt.tenants.findings import Finding, located
from servicepunkt.tenants.model import MAIN, Mistake, Reading, TenantFile

# Six digits and the check digits that a policy may add (policies of hand-over allow six to eight).
LONGEST_CODE = "00000000"
#: What may be only a consequence of something that could not be read.
CONSEQUENCES = (
    decoding.MISSING_KEY,
    catalogue_checks.NO_SUCH,
    model.WRONG_SCHEMA,
    checks.LANGUAGE_MISSING,
    checks.NO_COMPETENCE,
    checks.NO_HELP,
    checks.NO_THEME,
    checks.NO_WAY_OFFLINE,
    checks.STAFF_UNKNOWN,
)
#: What is missed when entries of a kind could not be decoded.
MISSED = {checks.NO_OFFERS.code: "offers", checks.EMPTY_THEME.code: "services", NO_APPLY.code: "offers"}


class Checked(msgspec.Struct, frozen=True):
    """The file if it may be put into force, and everything that was found: mistakes and warnings."""

    file: TenantFile | None
    findings: Sequence[Finding]

    @property
    def errors(self) -> list[Finding]:
        return [one for one in self.findings if one.level == "error"]


def check(deployment: Deployment, folder: Path) -> Checked:
    """Everything that is wrong with a folder. Raises NotFoundError where there is no tenant.toml."""
    documents, unreadable = files.documents_of(folder)
    sections = dict(_sections(deployment))
    contents = {name: document.content for name, document in documents.items()}
    reading = model.read(contents, {name: section.schema for name, (_, section) in sections.items()})
    mistakes = [*reading.mistakes, *_sense(deployment, reading, sections)]
    if unreadable:
        mistakes = [one for one in mistakes if one.said.rule not in CONSEQUENCES or one.said.values.get("near")]
    mistakes = [one for one in mistakes if not _follows_from_lost(one, reading)]
    found = located(documents, mistakes, unreadable)
    refused = any(one.level == "error" for one in found) or reading.tenant is None
    return Checked(None if refused else reading.file, found)


def _sections(deployment: Deployment) -> Iterator[tuple[str, tuple[str, TenantSection]]]:
    for answer in deployment.plugins.startup("tenant_sections"):
        yield from ((section.name, (answer.plugin, section)) for section in answer.value)


def _follows_from_lost(mistake: Mistake, reading: Reading) -> bool:
    """Whether only an entry is missed that stands in the file and could not be decoded."""
    rule, lost = mistake.said.rule, {name for _, name in reading.lost}
    if mistake.said.values.get("name") in lost or (rule == catalogue_checks.NO_SUCH and model.ANYTHING in lost):
        return True
    return MISSED.get(rule.code) in {kind for kind, _ in reading.lost}


def _sense(
    deployment: Deployment, reading: Reading, sections: Mapping[str, tuple[str, TenantSection]]
) -> Iterator[Mistake]:
    """What holds of everything together, as far as it could be decoded."""
    yield from (reading.located(place, _broken(said)) for place, said in catalogue_checks.mistakes(reading.catalogue))
    main = {name: value for name, value in reading.documents.get(MAIN, {}).items() if name in sections}
    yield from (Mistake(MAIN, path, said) for path, said in checks.clear_secrets(main))
    yield from (Mistake(MAIN, path, said) for path, said in checks.gaps(reading.documents.get(MAIN, {})))
    if reading.tenant is None:
        return
    installed = deployment.plugins.names
    yield from (reading.located(place, said) for place, said in checks.tenant_mistakes(reading.tenant, installed))
    # A Land that does not exist has been named; without one the rest can still be looked at.
    land = reading.tenant.subdivision if reading.tenant.subdivision in LANDS.values() else ""
    part = msgspec.structs.replace(reading.tenant, subdivision=land)
    ctx = context_of(part, reading.sections, 0)
    day = today(deployment, ctx)
    if day is None:
        return
    draft = TenantDraft(deployment.plugins, ctx, checks.with_readable_hours(reading.catalogue), day)
    yield from (reading.located(place, said) for place, said in checks.catalogue_mistakes(draft))
    for name, (plugin, section) in sections.items():
        if not ctx.allows(plugin):
            if name in main:
                yield reading.located("", checks.PLUGIN_OFF(name=plugin), section=name)
        elif section.check is not None and (name in reading.sections or name not in main):
            found = (reading.located(place, _broken(said), section=name) for place, said in section.check(draft))
            # Where entries are lost, what is said of the whole section may be only a consequence of that.
            yield from (one for one in found if name not in reading.kept or len(one.path) > 2)
    yield from _notices(deployment, reading, ctx)
    for plugin, table in unruled(deployment.plugins, ctx):
        place = f"tenant.plugins[{part.plugins.index(plugin)}]" if plugin in part.plugins else "tenant.plugins"
        yield reading.located(place, checks.NO_RETENTION(name=plugin, table=table))


def today(deployment: Deployment, ctx: TenantContext) -> date | None:
    """The day of the tenant, if its zone exists."""
    try:
        return ctx.local_date(deployment.clock.now())
    except (KeyError, ValueError):
        return None


def _broken(said: str) -> Broken:
    """A plugin may say a bare sentence; it has no code then but that of its kind."""
    return said if isinstance(said, Broken) else decoding.NOT_TOGETHER(why=said)


def _notices(deployment: Deployment, reading: Reading, ctx: TenantContext) -> Iterator[Mistake]:
    """The texts of messages with the values that this tenant brings."""
    usual = {
        "tenant": (ctx.name,),
        "code": (LONGEST_CODE,),
        "until": ("00.00.",),
        "box": [text for point in reading.catalogue.points for text in point.name.values()],
    }
    for template in cast("list[NoticeTemplate]", deployment.plugins.flat(ctx, "notice_templates")):
        for place, said in (*missing_language(template, ctx.locale), *template_mistakes(template, usual)):
            yield Mistake(MAIN, ("notices", place), _broken(said))


def context_of(part: model.TenantPart, sections: Mapping[str, msgspec.Struct], tenant_id: int) -> TenantContext:
    """The context that a file would give."""
    return TenantContext(
        id=tenant_id,
        slug=part.slug,
        name=part.name,
        plugins=frozenset(part.plugins),
        state=part.state,
        locale=part.locale,
        languages=part.languages,
        zone=part.zone,
        subdivision=part.subdivision,
        settings=sections,
    )
