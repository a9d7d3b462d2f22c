"""What version 1 of the hook API promises, as data: `python tests/promise.py` writes tests/hook_api_1.json anew."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from servicepunkt.core.plugins.shapes import members, shape
from servicepunkt.core.testing.outage import hook_specs

FILE = Path(__file__).parent / "hook_api_1.json"
Api = dict[str, dict[str, Any]]


def hook_api() -> Api:
    """Hooks with their arguments and answers, and what these are made of."""
    found: Api = {"hooks": {}, "structs": {}, "protocols": {}}
    for name, hook in hook_specs().items():
        signature = inspect.signature(hook)
        returns = str(signature.return_annotation)
        found["hooks"][name] = {"arguments": list(signature.parameters), "returns": returns}
        kind = shape(name).kind
        if getattr(kind, "_is_protocol", False):
            found["protocols"][kind.__name__] = list(members(kind))
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            fields = msgspec.structs.fields(kind) if _is_known(kind) else ()
            names = [field.name for field in fields] or list(kind.__struct_fields__)
            required = names[: len(names) - len(kind.__struct_defaults__)]
            found["structs"][kind.__name__] = {"fields": names, "required": required}
    return found


def _is_known(kind: type) -> bool:
    try:
        msgspec.structs.fields(kind)
    except NameError:  # a field is of a type that is there for type checkers alone
        return False
    return True


def broken(promised: Api, now: Api) -> list[str]:
    """What a plugin that was written for `promised` would miss, or would be asked for, with `now`."""
    found = [f"{group}.{name} is gone" for group in promised for name in promised[group] if name not in now[group]]
    for name, hook in promised["hooks"].items():
        if name in now["hooks"]:
            found += _lacks(f"hooks.{name}.arguments", hook["arguments"], now["hooks"][name]["arguments"])
            if (returns := now["hooks"][name]["returns"]) != hook["returns"]:
                found.append(f"hooks.{name}.returns is {returns}")
    for name, struct in promised["structs"].items():
        if name in now["structs"]:
            found += _lacks(f"structs.{name}.fields", struct["fields"], now["structs"][name]["fields"])
            found += _has(f"structs.{name}.required", struct["required"], now["structs"][name]["required"])
    for name, known in promised["protocols"].items():
        found += _has(f"protocols.{name}", known, now["protocols"].get(name, known))
        found += _lacks(f"protocols.{name}", known, now["protocols"].get(name, known))
    return found


def _lacks(place: str, wanted: list[str], present: list[str]) -> list[str]:
    missing = [name for name in wanted if name not in present]
    return [f"{place} lacks {', '.join(missing)}"] if missing else []


def _has(place: str, known: list[str], present: list[str]) -> list[str]:
    new = [name for name in present if name not in known]
    return [f"{place} has {', '.join(new)}"] if new else []


if __name__ == "__main__":
    before = json.loads(FILE.read_text("utf-8")) if FILE.exists() else hook_api()
    if breaks := broken(before, hook_api()):
        sys.exit("\n".join(breaks))
    FILE.write_text(json.dumps(hook_api(), indent=2) + "\n", "utf-8")
