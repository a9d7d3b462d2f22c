"""`servicepunkt tenant`: check a town's file, see what it changes, put it into force, look whether it may go live."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse, write_json
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.settings import Settings, read_settings
from servicepunkt.core.texts import system_language
from servicepunkt.tenants import areas, ending, exporting, files, findings, readiness, schema, service, starting
from servicepunkt.tenants.checking import check
from servicepunkt.tenants.ending import Proof
from servicepunkt.tenants.findings import Finding
from servicepunkt.tenants.model import TenantFile
from servicepunkt.tenants.readiness import Answer
from servicepunkt.tenants.service import Difference, NotReadyError
from servicepunkt.tenants.starting import Question

out = Console()
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
language_option = click.option(
    "--language",
    "locale",
    type=click.Choice(("de", "en")),
    default=system_language,
    help="Without it that of the system.",
)
Say = Callable[..., str]


@click.group()
def tenant() -> None:
    """Tenants: apply a tenant file, list what is served."""


@tenant.command("new")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--town", default="", help="Name of the town, as it is official.")
@click.option("--ags", default="", help="Its key of eight digits, where several have its name.")
@click.option("--answer", "given", multiple=True, metavar="NAME=ANSWER", help="An answer that is not asked for.")
@click.option("--usual", is_flag=True, help="Ask nothing: take what is usual for everything that is not given.")
@language_option
def tenant_new(folder: Path, town: str, ags: str, given: tuple[str, ...], usual: bool, locale: str) -> None:
    """Write the files of a new town: answer a few questions, then change what you like."""
    deployment = deployments.without_database(read_settings(os.environ))
    say = partial(deployment.texts.translate, locale)
    area = starting.town_by_key(ags) if ags else starting.town_of(town or click.prompt(say("Which town is it?")))
    click.echo(f"{area.called}, {area.ags}, {starting.district_name(area)}")
    answers = dict(one.partition("=")[::2] for one in given)
    for question in starting.QUESTIONS:
        _settle(question, answers, say, usual=usual)
    for path in starting.write(folder, area, answers, say):
        click.echo(f"  {path}")
    checked = check(deployment, folder)
    _show(findings.said_in(checked.findings, deployment.texts, locale), say)
    click.echo(say("Next: servicepunkt tenant preview {folder}", folder=folder))


def _settle(question: Question, answers: dict[str, str], say: Say, *, usual: bool) -> None:
    """Take the answer that was given, or ask until one fits. Raises click.BadParameter for one that does not."""
    if question.name in answers or usual:
        answer = answers.setdefault(question.name, question.usual)
        if wrong := starting.fits(question, answer):
            raise click.BadParameter(f"{question.name}: {say(wrong)}")
        return
    kinds = f" ({', '.join(starting.HOST_KINDS)})" if question.kind == "host_kind" else ""
    while True:
        answer = str(click.prompt(say(question.asked) + kinds, default=question.usual))
        if not (wrong := starting.fits(question, answer)):
            answers[question.name] = answer
            return
        click.secho(f"  {say(wrong)}", fg="red")


@tenant.command("schema")
def tenant_schema() -> None:
    """Write the JSON Schema of tenant files, with the sections of the installed plugins, for editors."""
    deployment = deployments.without_database(read_settings(os.environ))
    sections = [section for answer in deployment.plugins.startup("tenant_sections") for section in answer.value]
    write_json(schema.json_schema({section.name: section.schema for section in sections}))


@tenant.command("check")
@click.argument("pack")
@language_option
@click.option("--format", "form", type=click.Choice(("table", "json", "sarif")), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--strict", is_flag=True, help="Warnings refuse, too.")
def tenant_check(pack: str, locale: str, form: str, as_json: bool, strict: bool) -> None:
    """Name everything that is wrong with a tenant's folder, or an installed pack. Needs no database."""
    settings = read_settings(os.environ)
    deployment = deployments.without_database(settings)
    checked = check(deployment, files.folder_of(pack))
    found = findings.said_in(checked.findings, deployment.texts, locale)
    match "json" if as_json else form:
        case "json":
            write_json({"in_order": checked.file is not None, "findings": found})
        case "sarif":
            write_json(findings.sarif(found, version=version("servicepunkt-tenants")))
        case _:
            _show(found, partial(deployment.texts.translate, locale))
    if checked.file is None or (strict and found):
        sys.exit(1)


def _show(found: Sequence[Finding], say: Say) -> None:
    """A line for each finding that editors can follow (file:line:column), and below it what helps."""
    colours = {"error": "red", "warning": "yellow"}
    for one in found:
        code = click.style(one.code, fg=colours[one.level], bold=one.level == "error")
        place = click.style(f"{one.file}:{one.line}:{one.column}", bold=True)
        click.echo(f"{code} {place} {click.style(one.path, fg='cyan')}".rstrip())
        click.echo(f"    {one.sentence}")
        if one.near:
            click.secho("    " + say("Did you mean {near}?", near=one.near), fg="green")
        if one.advice:
            click.secho(f"    {one.advice}", dim=True)
    counted = Counter(one.level for one in found)
    sentence = "Mistakes: {errors}. Warnings: {warnings}." if found else "The file is in order."
    click.echo(say(sentence, errors=counted["error"], warnings=counted["warning"]))


def _in_order(deployment: Deployment, pack: str, locale: str) -> tuple[TenantFile, Sequence[Finding]]:
    """What a folder, or an installed pack, says, and the warnings; where it is wrong, all of that is shown instead."""
    checked = check(deployment, files.folder_of(pack))
    if checked.file is None:
        found = findings.said_in(checked.findings, deployment.texts, locale)
        _show(found, partial(deployment.texts.translate, locale))
        sys.exit(1)
    return checked.file, checked.findings


@tenant.command("preview")
@click.argument("pack")
@click.option("--output", default="preview.html", show_default=True, type=click.Path(dir_okay=False, path_type=Path))
@language_option
def tenant_preview(pack: str, output: Path, locale: str) -> None:
    """Write one HTML file with every screen, every message and sixty days of hours, to be looked at and mailed."""
    from servicepunkt.tenants.preview import service as preview

    deployment = deployments.without_database(read_settings(os.environ))
    read, found = _in_order(deployment, pack, locale)
    with Console(stderr=True).status("...") as status:
        page = asyncio.run(preview.make(deployment, read, found, locale, progress=lambda text: status.update(text)))
    output.write_text(page, "utf-8")
    click.echo(f"{output}: {len(page.encode()) / 1024 / 1024:.1f} MB")


@tenant.command("diff")
@click.argument("pack")
@language_option
@json_option
def tenant_diff(pack: str, locale: str, as_json: bool) -> None:
    """Show what applying a folder, or an installed pack, would change. Nothing is changed."""
    with deployments.configured() as settings:
        asyncio.run(_put(settings, pack, locale, as_json=as_json, dry_run=True))


@tenant.command("apply")
@click.argument("pack")
@language_option
@json_option
@click.option("--dry-run", is_flag=True, help="Show what it would change, and change nothing.")
def tenant_apply(pack: str, locale: str, as_json: bool, dry_run: bool) -> None:
    """Put the tenant file of a folder, or of an installed pack, into force. What is so already is left alone."""
    with deployments.configured() as settings:
        asyncio.run(_put(settings, pack, locale, as_json=as_json, dry_run=dry_run))


async def _put(settings: Settings, pack: str, locale: str, *, as_json: bool, dry_run: bool) -> None:
    async with deployments.running(settings) as deployment:
        say: Say = partial(deployment.texts.translate, locale)
        read, _ = _in_order(deployment, pack, locale)
        try:
            if dry_run:
                applied = await service.compare(deployment, read)
            else:
                applied = await service.apply(deployment, read, actor=COMMAND_LINE)
        except NotReadyError as error:
            _list(error.answers, say)
            raise
    if as_json:
        write_json(applied)
        return
    _differences(applied.changed, say)
    if applied.kept:
        click.echo(say("Said otherwise by hosts or editors, and left as it is (file → in force):"))
        _differences(applied.kept, say)
    if dry_run:
        sentence = "{name}: values that would change: {changed}. Nothing was changed."
    else:
        sentence = (
            "{name} is in force, state {state}, revision {revision}. "
            "Services: {services}, offers: {offers}, values changed: {changed}."
        )
    click.echo(
        say(
            sentence,
            name=read.tenant.name,
            state=applied.state,
            revision=applied.revision,
            services=applied.services,
            offers=applied.offers,
            changed=len(applied.changed),
        )
    )


MOST_SHOWN = 60


def _differences(changed: Sequence[Difference], say: Say) -> None:
    """Each value that changes, on its own line; a new town would fill the screen, the rest is counted."""
    for one in changed[:MOST_SHOWN]:
        click.echo(f"{click.style(one.place, fg='cyan')}: {_value(one.before, say)} → {_value(one.after, say)}")
    if len(changed) > MOST_SHOWN:
        click.echo(say("... and {count} more (--json shows them all)", count=len(changed) - MOST_SHOWN))


def _value(value: object, say: Say) -> str:
    """A value on a line: an entry by its name, a long text by its beginning."""
    if value is None:
        return click.style(say("nothing"), dim=True)
    named = value.get("name", say("an entry")) if isinstance(value, dict) else value
    text = next(iter(named.values()), "") if isinstance(named, dict) else str(named)
    return text if len(text) <= 80 else text[:80] + "…"


@tenant.command("doctor")
@click.argument("slug")
@language_option
@json_option
def tenant_doctor(slug: str, locale: str, as_json: bool) -> None:
    """The list before going live: what is ready, what blocks, and what to do about it."""
    with deployments.configured() as settings:
        found = asyncio.run(_doctor(settings, slug, locale, as_json=as_json))
    if any(one.blocks for one in found):
        sys.exit(1)


async def _doctor(settings: Settings, slug: str, locale: str, *, as_json: bool) -> list[Answer]:
    async with deployments.running(settings) as deployment:
        found = await readiness.doctor(deployment, await tenant_or_refuse(deployment, slug))
        say: Say = partial(deployment.texts.translate, locale)
    if as_json:
        write_json([_for_programs(one, say) for one in found])
    else:
        _list(found, say)
    return found


def _for_programs(answer: Answer, say: Say) -> dict[str, object]:
    return {
        "title": say(answer.title),
        "ready": not answer.blocks,
        "said": [{"code": one.rule.code, "blocks": not one.rule.warns, "sentence": say(one)} for one in answer.said],
    }


def _list(found: Sequence[Answer], say: Say) -> None:
    for answer in found:
        colour, sign = ("red", "✗") if answer.blocks else ("yellow", "!") if answer.said else ("green", "✓")
        click.echo(f"{click.style(sign, fg=colour, bold=True)} {click.style(say(answer.title), bold=True)}")
        for one in answer.said:
            code = click.style(one.rule.code, fg="yellow" if one.rule.warns else "red")
            click.echo(f"    {code} {say(one)}")
            if one.rule.advice:
                click.secho("    " + say(one.rule.advice), dim=True)
    blocking = sum(len(one.blocks) for one in found)
    click.echo(say("What blocks going live: {count}." if blocking else "Nothing blocks going live.", count=blocking))


@tenant.command("export")
@click.argument("slug")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--replicate", is_flag=True, help="Without names, numbers, addresses and dates: a start for another town."
)
def tenant_export(slug: str, folder: Path, replicate: bool) -> None:
    """Write a tenant in force as a folder that `tenant apply` takes."""
    if folder.exists() and any(folder.iterdir()):
        raise click.BadParameter(f"{folder} holds something already; name another folder", param_hint="FOLDER")
    with deployments.configured() as settings:
        found = asyncio.run(_live(settings, slug))
    area = areas.municipalities().get(found.tenant.ags)
    written = exporting.replica(found, area) if replicate else found
    for path in exporting.write(folder, written):
        click.echo(f"  {path}")
    if replicate and (left := list(exporting.traces(found, written, area))):
        click.secho("Look whether these words give the town away: ", fg="yellow", nl=False)
        click.echo(", ".join(left))


async def _live(settings: Settings, slug: str) -> TenantFile:
    async with deployments.running(settings) as deployment:
        return await service.live(deployment, (await tenant_or_refuse(deployment, slug)).slug)


@tenant.command("delete")
@click.argument("slug")
@click.option("--proof", "folder", required=True, type=click.Path(path_type=Path), help="New folder for the proof.")
@click.option("--really", required=True, help="The slug once more.")
@json_option
def tenant_delete(slug: str, folder: Path, really: str, as_json: bool) -> None:
    """Erase a retired tenant: its keys, its rows, its jobs. What proves it is written to a folder."""
    if really != slug:
        raise click.BadParameter("the two slugs differ", param_hint="--really")
    with deployments.configured() as settings:
        proof = asyncio.run(_delete(settings, slug, folder))
    if as_json:
        write_json(proof)
        return
    table = Table("table", "rows before", "rows now")
    for name, count in proof.rows.items():
        table.add_row(name, str(count), str(proof.left[name]))
    out.print(table)
    click.echo(
        f"{slug} is erased: {proof.keys} keys, {sum(proof.rows.values())} rows, {proof.jobs} jobs. See {folder}."
    )


async def _delete(settings: Settings, slug: str, folder: Path) -> Proof:
    async with deployments.running(settings) as deployment:
        return await ending.delete(deployment, slug, actor=COMMAND_LINE, folder=folder)


@tenant.command("list")
@json_option
def tenant_list(as_json: bool) -> None:
    """List the tenants of this deployment and the packs that are installed."""
    with deployments.configured() as settings:
        rows = asyncio.run(_tenant_rows(settings))
    if as_json:
        write_json(rows)
        return
    table = Table("tenant", "name", "state", "plugins")
    for row in rows:
        table.add_row(row["slug"], row["name"], row["state"], row["plugins"])
    out.print(table)
    click.echo("Installed packs: " + (", ".join(files.installed_packs()) or "none"))


async def _tenant_rows(settings: Settings) -> list[dict[str, str]]:
    async with deployments.running(settings) as deployment:
        return [
            {"slug": ctx.slug, "name": ctx.name, "state": ctx.state, "plugins": ", ".join(sorted(ctx.plugins))}
            for ctx in await deployment.directory.all()
        ]
