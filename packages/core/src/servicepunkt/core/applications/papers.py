"""An application as files: JSON for a program, and a page for a person, in the language of the tenant. Pure."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import msgspec

from servicepunkt.core.applications.model import Answer, Submission
from servicepunkt.core.identification import LEVELS

FORMAT = "servicepunkt-application/1"
#: Lines of the page above the answers, as message ids.
LINES = {
    "reference": "Reference of the application",
    "service": "What is applied for",
    "submitted": "Submitted at",
    "point": "Service point",
    "identified": "Identified by",
    "level": "Level of assurance",
    "proof": "Proof of the identification",
}
GIVEN = "as the identification says"
UNNAMED = "Nobody identified for this application."
YES_NO = {"yes": "Yes", "no": "No"}
LEVEL_WORDS = dict(zip(LEVELS, ("level none", "level low", "level substantial", "level high"), strict=True))

Say = Callable[[str], str]
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #767676;padding:.5em;text-align:left;"
    "vertical-align:top;white-space:pre-line;overflow-wrap:anywhere}th{width:34%}small{display:block}"
)


def as_json(application: Submission) -> bytes:
    """The same bytes for the same application, however often they are made."""
    content: dict[str, Any] = {"format": FORMAT, **msgspec.to_builtins(application)}
    if application.person is not None:
        # What it answers stands in the answers, marked as given.
        del content["person"]["given"]
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def as_page(application: Submission, say: Say, *, locale: str) -> bytes:
    """HTML that needs nothing beside it. `say` translates message ids into the language `locale`."""
    person = application.person
    facts = {
        "reference": application.reference,
        "service": application.title,
        "submitted": f"{application.submitted_at:%Y-%m-%d %H:%M} UTC",
        "point": application.point,
        **(
            {"identified": person.provider, "level": say(LEVEL_WORDS[LEVELS[person.level]]), "proof": person.proof}
            if person
            else {}
        ),
    }
    rows = "".join(_row(say(LINES[name]), escape(value)) for name, value in facts.items())
    given = "".join(_row(one.label, _said(one, say)) for one in application.answers)
    unnamed = "" if person else f"<p>{escape(say(UNNAMED))}</p>"
    title = escape(f"{application.title}: {application.reference}")
    return (
        f'<!doctype html>\n<html lang="{escape(locale)}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(application.title)}</h1>\n<table>{rows}</table>{unnamed}\n"
        f"<table>{given}</table>\n<p>{escape(application.consent)}</p></body></html>\n"
    ).encode()


def _row(label: str, cell: str) -> str:
    return f"<tr><th>{escape(label)}</th><td>{cell}</td></tr>"


def _said(answer: Answer, say: Say) -> str:
    text = say(YES_NO[answer.value]) if answer.kind == "yes_no" else answer.text
    mark = f"<small>{escape(say(GIVEN))}</small>" if answer.given else ""
    return escape(text) + mark
