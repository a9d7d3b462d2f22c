"""A first tenant file from a few answers: what is asked, and what is written. It passes `tenant check`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import jinja2
import msgspec

from servicepunkt.core import toml
from servicepunkt.core.catalogue.model import Host
from servicepunkt.core.errors import ConflictError, NotFoundError
from servicepunkt.core.hours.model import HoursError, parse
from servicepunkt.tenants import areas
from servicepunkt.tenants.areas import Area

HOST_KINDS: tuple[str, ...] = get_args(get_type_hints(Host)["kind"])
TEMPLATES = ("tenant.toml", *(f"catalogue/{name}.toml" for name in ("ausweise", "hilfe", "mobilitaet", "wohnen")))
#: Towns that are a district of their own.
OWN_DISTRICT = ("Kreisfreie Stadt", "Stadtkreis")


class Question(msgspec.Struct, frozen=True):
    """What is asked: a message id, what is taken if nothing is said, and what an answer has to be."""

    name: str
    asked: str
    usual: str
    kind: Literal["text", "hours", "host_kind", "number"] = "text"


QUESTIONS = (
    Question("host_name", "Who lends the place (shop, bank, library)?", "<Name>"),
    Question("host_kind", "What kind of place is it?", "shop", "host_kind"),
    Question("host_hours", "When is it open?", "Mo-Sa 09:00-18:00; PH off", "hours"),
    Question("street", "Street and number of the service point?", "<Straße 1>"),
    Question("postcode", "Postcode?", "00000"),
    Question("staffed", "When is somebody there to help?", "Tu,Th 14:00-18:00; PH off", "hours"),
    Question("town_hall_name", "What is the town hall called?", "Rathaus"),
    Question("town_hall_street", "Its street and number?", "<Straße 1>"),
    Question("town_hall_postcode", "Its postcode?", "00000"),
    Question("town_hall_hours", "When is the town hall open?", "Mo-Fr 08:00-12:00; Tu 14:00-18:00; PH off", "hours"),
    Question("phone", "Its telephone number?", "115"),
    Question("line115_hours", "When is 115 answered for you?", "Mo-Fr 08:00-18:00; PH off", "hours"),
    Question("compartments", "How many compartments has your DokBox (0: there is none)?", "24", "number"),
)


def slug_of(name: str) -> str:
    """A name for addresses: 'Hohe Börde' becomes hohe-boerde."""
    plain = unicodedata.normalize("NFKD", name.translate(areas.UMLAUTS)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63] or "town"


def town_of(name: str) -> Area:
    """The one municipality of this name. Raises NotFoundError with those whose names come near."""
    found = areas.find(name)
    if len(found) == 1 and found[0].name.lower() == name.strip().lower():
        return found[0]
    known = ", ".join(f"{one.name} ({one.ags}, {district_name(one)})" for one in found)
    raise NotFoundError(f"which town is {name!r}? Name its key of eight digits: {known or 'none comes near'}")


def district_name(area: Area) -> str:
    district = areas.district_of(area)
    return district.called if district else area.land


def town_by_key(ags: str) -> Area:
    """Raises NotFoundError."""
    if (found := areas.municipalities().get(ags)) is None:
        raise NotFoundError(f"no municipality had the key {ags!r} on 1 January 2016")
    return found


def fits(question: Question, answer: str) -> str:
    """Why an answer does not fit, as a message id; empty when it does."""
    match question.kind:
        case "hours":
            try:
                parse(answer)
            except HoursError as error:
                return error.said
        case "host_kind" if answer not in HOST_KINDS:
            return "This is none of the kinds."
        case "number" if not (answer.isascii() and answer.isdigit() and int(answer) <= 480):
            return "This is no number from 0 to 480."
        case _ if not answer.strip():
            return "Something has to stand here."
    return ""


def values_of(area: Area, answers: Mapping[str, str]) -> dict[str, Any]:
    """What the templates are given."""
    district = areas.district_of(area)
    own = district is None or district.kind in OWN_DISTRICT or area.land in ("BE", "HH")
    given = {question.name: answers.get(question.name, question.usual) for question in QUESTIONS}
    return {
        **given,
        "area": area,
        "slug": answers.get("slug") or slug_of(area.name),
        "name": f"{area.kind} {area.name}" if area.kind in ("Stadt", "Gemeinde") else area.name,
        "district": None if own else district,
        "decides": "town" if own else "district",
        "compartments": int(given["compartments"]),
    }


def write(folder: Path, area: Area, answers: Mapping[str, str], say: Callable[[str], str]) -> list[Path]:
    """Write the files into an empty or new folder. Raises ConflictError for a folder that holds something."""
    if folder.exists() and any(folder.iterdir()):
        raise ConflictError(f"{folder} holds something already; name another folder")
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701 - TOML is written here, and every value goes through `toml`
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["toml"] = toml.string
    environment.globals["_"] = say
    values = values_of(area, answers)
    written = []
    for name in TEMPLATES:
        source = files("servicepunkt.tenants").joinpath("starter", name).read_text("utf-8")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(environment.from_string(source).render(values), "utf-8")
        written.append(path)
    return written
