"""The page of settings."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import msgspec

from pages.markdown import code, sentence, table, title
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import PREFIX, Settings
from servicepunkt.dokbox.controller.environment import PREFIX as BOX_PREFIX
from servicepunkt.dokbox.controller.environment import BoxEnvironment


def settings_page(host: PluginHost) -> str:
    intro = (
        "One deployment is set up by environment variables. A variable that does not exist is refused with the names "
        "that do. A secret is never written down: its setting says where it is, as `env:NAME` or `file:PATH`.\n"
    )
    sections = [
        section_of(section.name, section.schema, answer.plugin)
        for answer in host.startup("tenant_sections")
        for section in answer.value
    ]
    tenant = (
        "What a tenant sets up stands in its tenant file. Each plugin declares the sections that it reads; a key that "
        "does not exist is refused.\n"
    )
    return "\n".join(
        [
            title("Settings"),
            title("The deployment", 2),
            intro,
            variables(Settings, PREFIX),
            title("The computer of a box", 2),
            "Read by `servicepunkt box run`. What they mean for the building of it: {doc}`/how-to/cabinet-computer`.\n",
            variables(BoxEnvironment, BOX_PREFIX),
            title("Sections of the tenant file", 2),
            tenant,
            *sections,
        ]
    )


def variables(kind: type[msgspec.Struct], prefix: str) -> str:
    """The variables of a struct whose docstring says in lines of two columns what each of them is."""
    described = dict(re.findall(r"^(\w+) {2,}(\S.*)$", inspect.getdoc(kind) or "", re.MULTILINE))
    rows = [
        (code(prefix + field.name.upper()), sentence(described[field.name]), setting_default(field))
        for field in msgspec.structs.fields(kind)
    ]
    return table(("Variable", "Meaning", "Without it"), rows)


def setting_default(field: msgspec.structs.FieldInfo) -> str:
    if isinstance(field.default, Path):
        return "the user's folder for data"
    return "" if field.default == "" else code(msgspec.json.encode(field.default).decode().strip('"'))


def section_of(name: str, schema: type[msgspec.Struct], plugin: str) -> str:
    """A section and, below it, the tables that stand in it."""
    about = " ".join([f"Read by {plugin}.", *first_sentence(schema)])
    parts = [title(f"`[{name}]`", 3), about + "\n", fields_table(schema)]
    for inner in nested(schema):
        about = "".join(f"{found}\n" for found in first_sentence(inner))
        parts += [title(f"`{inner.__name__}` in `[{name}]`", 4), about, fields_table(inner)]
    return "\n".join(parts)


def first_sentence(schema: type[msgspec.Struct]) -> list[str]:
    """The first paragraph of its docstring, if it has one."""
    paragraph = inspect.cleandoc(vars(schema).get("__doc__") or "").split("\n\n")[0]
    return [" ".join(paragraph.split())] if paragraph else []


def fields_table(schema: type[msgspec.Struct]) -> str:
    config = schema.__struct_config__
    tag = [(code(config.tag_field or ""), code(f'"{config.tag}"'), "needed")] if config.tag else []
    rows = tag + [
        (code(field.encode_name), code(type_name(field.type)), field_default(field))
        for field in msgspec.structs.fields(schema)
    ]
    return table(("Key", "Kind", "Without it"), rows)


def field_default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return code(msgspec.json.encode(value).decode())


def type_name(kind: object) -> str:
    return re.sub(r"\b(?:\w+\.)+", "", kind.__name__ if inspect.isclass(kind) else str(kind))


def parts_of(kind: object) -> list[object]:
    """A type and what it is made of, as far down as it goes."""
    inner = getattr(kind, "__args__", ())
    return [kind, *(part for argument in inner for part in parts_of(argument))]


def nested(schema: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    found: list[type[msgspec.Struct]] = []
    for field in msgspec.structs.fields(schema):
        for part in parts_of(field.type):
            if inspect.isclass(part) and issubclass(part, msgspec.Struct):
                found += [part, *nested(part)]
    return found
