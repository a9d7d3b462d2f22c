"""The page of hooks."""

from __future__ import annotations

import inspect
from types import FunctionType

from pages.markdown import definitions, title
from pages.own import own_modules_with_hooks
from servicepunkt.core import hookspecs

#: What others may import; everything else may change with every release.
PUBLIC = {
    "servicepunkt.core": (
        *("hookimpl", "catalogue.formats.model", "catalogue.model", "commands", "conformance", "db", "declarations"),
        *(
            "applications.model",
            "deployment",
            "doors",
            "errors",
            "identification",
            "jobs",
            "notices.model",
            "orders.listed",
        ),
        *("orders.model", "plugins", "protocols", "secrets", "settings"),
        *("tenancy.model", "testing"),
    ),
    "servicepunkt.web": ("access", "app", "devices.service", "frame", "sessions.model", "staff.frame", "testing"),
    "servicepunkt.dokbox": ("boards", "testing"),
}
PROMISE = """\
The hook API has a version of its own and follows semantic versioning, whatever the product's version is. A plugin says
which one it was written for, and another one is refused when the process starts.

- **Stays as it is within version 1**: names of hooks and of their arguments, when they are asked and in which order,
  the fields of what they return, the methods of protocols, and that a plugin that is off does not exist for a tenant.
- **May be added**: hooks; arguments, which only those take who name them; fields with a default; methods that are asked
  for only where they are there; rules of `plugin check`, as warnings for one release.
- **Goes only with version 2**: what is to go says so here and in the changelog, with what takes its place, at least a
  year before.
- **Public** is what this page names, with what the modules below give. Everything else may change with every release.

`tests/hook_api_1.json` holds the signatures of version 1; a test compares them. How a plugin is written:
[](../how-to/plugin.md).
"""


def hooks() -> dict[str, FunctionType]:
    """Every hook in the order of its declaration."""
    return {
        name: value
        for name, value in vars(hookspecs).items()
        if inspect.isfunction(value) and hasattr(value, f"{hookspecs.PROJECT}_spec")
    }


def signature(hook: FunctionType) -> str:
    """`name(ctx: TenantContext) -> Path`, as it is declared."""
    return f"{hook.__name__}{inspect.signature(hook)}".replace("'", "")


def hooks_page() -> str:
    start_up = [hook for hook in hooks().values() if "ctx" not in inspect.signature(hook).parameters]
    tenant = [hook for hook in hooks().values() if hook not in start_up]
    intro = (
        'A plugin is a module with `servicepunkt_api = "1"` and functions of these names, each marked with '
        "`servicepunkt.core.hookimpl`. It is named in the entry-point group `servicepunkt` of its package. A function "
        "takes those of the arguments that it needs, in any order. Nothing here is asynchronous: what has to wait is "
        "done by the objects that a hook returns.\n"
    )
    parts = [title("Hooks"), intro, title(f"What version {hookspecs.API_VERSION} promises", 2), PROMISE]
    parts.append(definitions((f"`{room}`", ", ".join(f"`{one}`" for one in names)) for room, names in PUBLIC.items()))
    parts.append(title("Start-up hooks", 2))
    parts.append("Called once for each installed plugin while the process starts. One that raises ends the start.\n")
    parts += [hook_section(hook) for hook in start_up]
    parts.append(title("Tenant hooks", 2))
    parts.append(
        "Called for the plugins that the tenant has switched on, the kernel first, then by name. One that raises is "
        "logged and counted (`servicepunkt_plugin_failures`); the others' answers stand.\n"
    )
    parts += [hook_section(hook) for hook in tenant]
    return "\n".join(parts)


def hook_section(hook: FunctionType) -> str:
    what, when, example = (" ".join(part.split()) for part in (inspect.getdoc(hook) or "").split("\n\n"))
    called, _, since = when.rpartition(" Since ")
    users = [name for name, module in own_modules_with_hooks().items() if hasattr(module, hook.__name__)]
    rows = [
        ("When", called),
        ("Since", since.rstrip(".")),
        ("Example", example.removeprefix("Example: ")),
        ("Used by", ", ".join(users) or "none of the product's own plugins"),
    ]
    return title(f"`{signature(hook)}`", 3) + f"\n{what}\n\n" + definitions(rows)
