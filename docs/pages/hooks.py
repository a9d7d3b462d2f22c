"""The page of hooks."""

from __future__ import annotations

import inspect
from types import FunctionType

from pages.markdown import definitions, title
from pages.own import own_modules_with_hooks
from servicepunkt.core import hookspecs


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
    parts = [title("Hooks"), intro, title("Start-up hooks", 2)]
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
