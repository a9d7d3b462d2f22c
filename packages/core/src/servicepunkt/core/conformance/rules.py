"""The kernel's rules about hooks themselves: their names, answers, duration, and what they do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from servicepunkt.core import hookspecs
from servicepunkt.core.conformance.bench import Bench, Call
from servicepunkt.core.conformance.model import Rule, Trouble
from servicepunkt.core.plugins.host import SLOW_SECONDS
from servicepunkt.core.plugins.shapes import AnswerError, Shape, members, shape

#: From here on a hook is no longer slow, but a fault: every page and job of every tenant waits for it.
FAR_TOO_SLOW_SECONDS = 0.5


def registers(bench: Bench) -> list[Trouble]:
    """What the host refuses, as PluginError: a wrong version, a misspelt hook, an argument that is not there."""
    assert bench.host.names
    return []


def marked(bench: Bench) -> list[Trouble]:
    """A function with a hook's name that nobody ever calls."""
    implemented = bench.host.hooks(bench.candidate.name) if bench.candidate.plugin else ()
    return [
        Trouble(name, "has a hook's name, but is not marked with `hookimpl`")
        for name, value in inspect.getmembers(bench.candidate.plugin, callable)
        if hasattr(getattr(hookspecs, name, None), f"{hookspecs.PROJECT}_spec") and name not in implemented
    ]


def answers(bench: Bench) -> list[Trouble]:
    """Whatever a hook is asked, it answers with what its annotation says."""
    found = {(trouble.place, trouble.sentence): trouble for call in _calls(bench) for trouble in _wrong(call)}
    return list(found.values())


def _calls(bench: Bench) -> tuple[Call, ...]:
    return bench.calls if bench.candidate.plugin else ()


def _wrong(call: Call) -> Iterator[Trouble]:
    asked = f" when asked {call.arguments}" if call.arguments else ""
    if call.error is not None:
        yield Trouble(call.hook, f"raises {type(call.error).__name__}{asked}: {call.error}")
        return
    if call.answer is None:
        return
    wanted = shape(call.hook)
    try:
        read = wanted.read(call.answer)
    except AnswerError as error:
        yield Trouble(call.hook, f"{error}{asked}")
        return
    yield from _blocking_methods(call.hook, wanted, read)


def _blocking_methods(hook: str, wanted: Shape, read: Any) -> Iterator[Trouble]:
    """What a protocol declares as asynchronous has to be: it is awaited."""
    if not getattr(wanted.kind, "_is_protocol", False):
        return
    for item in read if wanted.outer else (read,):
        for name in members(wanted.kind):
            declared, present = getattr(wanted.kind, name, None), getattr(item, name, None)
            if inspect.iscoroutinefunction(declared) and not inspect.iscoroutinefunction(present):
                yield Trouble(hook, f"{type(item).__name__}.{name} is not asynchronous")


def quick(bench: Bench) -> list[Trouble]:
    """The first call may import modules and counts only where it is far too slow."""
    slowest: dict[str, float] = {}
    for call in _calls(bench):
        if not call.is_first:
            slowest[call.hook] = max(call.seconds, slowest.get(call.hook, 0.0))
    return [
        Trouble(hook, f"took {seconds * 1000:.0f} ms", serious=seconds > FAR_TOO_SLOW_SECONDS)
        for hook, seconds in slowest.items()
        if seconds > SLOW_SECONDS
    ]


def no_input_or_output(bench: Bench) -> list[Trouble]:
    found = {(call.hook, said) for call in _calls(bench) for said in call.did}
    return [Trouble(hook, said) for hook, said in sorted(found)]


REGISTERS = Rule(
    name="registers",
    wants="the host takes the plugin: API version, names of hooks and of their arguments, no asynchronous hook",
    remedy="Compare the hook with its signature in the reference of hooks.",
    check=registers,
)
RULES = (
    Rule(
        name="marked",
        wants="what is named like a hook is one",
        remedy="Write `@hookimpl` above it, or name it otherwise.",
        check=marked,
    ),
    Rule(
        name="answers",
        wants="hooks answer what their annotation says, whatever language, point or permissions they are asked about",
        remedy="Return what the reference of hooks says; an empty answer is `()`.",
        check=answers,
    ),
    Rule(
        name="quick",
        wants=f"a hook takes at most {SLOW_SECONDS * 1000:.0f} ms; {FAR_TOO_SLOW_SECONDS * 1000:.0f} ms are a fault",
        remedy="Return an object that does the work when it is asked; nothing can interrupt a hook.",
        check=quick,
    ),
    Rule(
        name="no-input-or-output",
        wants="hooks reach for no network, process, thread, sleep or file; start-up hooks read the plugin's own files",
        remedy="Do it in the asynchronous methods of the object that the hook returns, or read it when it is imported.",
        check=no_input_or_output,
    ),
)
