"""The rule of words: whatever a person reads is there in German; message ids are English."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator

from jinja2.ext import babel_extract

from servicepunkt.core.conformance.bench import Bench
from servicepunkt.core.conformance.model import Rule, Trouble
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.texts import Texts

GERMAN = "de"


def german(bench: Bench) -> list[Trouble]:
    """Words of templates, of navigation, tasks and devices, and of errors; notices have a text in German."""
    if bench.candidate.plugin is None:
        return []
    texts = Texts([answer.value for answer in bench.host.startup("texts")])
    said = {message: place for place, message in (*_in_templates(bench), *_titles(bench), *_in_errors(bench))}
    missing = [Trouble(said[message], f"no German for {message!r}") for message in texts.missing(GERMAN, said)]
    return [*missing, *_notices(bench)]


def _in_templates(bench: Bench) -> Iterator[tuple[str, str]]:
    folder = bench.said("templates")
    for path in sorted(folder.rglob("*.html")) if folder else ():
        with path.open("rb") as file:
            for _, _, message, _ in babel_extract(file, ("_",), (), {"encoding": "utf-8"}):
                # With values for its places a message comes as a tuple, its text first.
                text = message if isinstance(message, str) else message[0] if message else None
                if isinstance(text, str):
                    yield path.name, text


def _titles(bench: Bench) -> Iterator[tuple[str, str]]:
    for hook in ("staff_entries", "staff_tasks"):
        yield from ((hook, one.title) for one in bench.asked(hook))
    yield from (("device_kinds", kind.title) for kind in bench.said("device_kinds") or ())


def _in_errors(bench: Bench) -> Iterator[tuple[str, str]]:
    package = bench.candidate.package
    _import_all(package)
    kinds = ServicepunktError.__subclasses__()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__ == package or kind.__module__.startswith(f"{package}."):
            yield from ((kind.__name__, said) for said in (kind.citizen, kind.next_step) if said)


def _import_all(package: str) -> None:
    """Errors are known when their module was imported; tests and programs of the package are left alone."""
    for found in pkgutil.walk_packages(getattr(sys.modules.get(package), "__path__", ()), f"{package}."):
        last = found.name.rpartition(".")[2]
        if "migrations" not in found.name and last not in ("__main__", "testing", "conftest"):
            importlib.import_module(found.name)


def _notices(bench: Bench) -> Iterator[Trouble]:
    for template in bench.asked("notice_templates"):
        if GERMAN not in template.texts:
            yield Trouble(template.name, "the notice has no German text")
        elif "en" not in template.texts:
            yield Trouble(template.name, "the notice has no English text", serious=False)


RULES = (
    Rule(
        name="german",
        wants="everything that a person reads is there in German",
        remedy="Add it to locale/de.po; the message id is the English sentence.",
        check=german,
    ),
)
