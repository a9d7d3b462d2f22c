"""What each hook has to return, read from its annotation: the host and the conformance kit look at answers with it.

An answer is read once, whole and bounded: a generator is walked through, and what is longer than `MOST_ITEMS` is
refused instead of filling the memory. Structs of plain values are looked into; of objects that work, only whether
they have what their protocol names.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from servicepunkt.core import hookspecs

MOST_ITEMS = 1000


class AnswerError(TypeError):
    """A hook returned something else than its annotation says."""


class Shape(msgspec.Struct, frozen=True):
    """One value, a sequence or a mapping (`outer`), of `kind`."""

    outer: type | None
    kind: Any

    def read(self, value: Any) -> Any:
        """The answer as a tuple, a dict or the object itself. Raises AnswerError, and what a generator raises."""
        if self.outer is Sequence:
            if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
                raise AnswerError(f"a sequence of {named(self.kind)} is wanted, not {named(type(value))}")
            return tuple(look_at(item, self.kind) for item in _bounded(value))
        if self.outer is Mapping:
            if not isinstance(value, Mapping):
                raise AnswerError(f"a mapping to {named(self.kind)} is wanted, not {named(type(value))}")
            return {look_at(key, str): look_at(item, self.kind) for key, item in _bounded(value.items())}
        return look_at(value, self.kind)


@cache
def shape(hook: str) -> Shape:
    """What the hook of this name returns."""
    wanted = get_type_hints(getattr(hookspecs, hook), localns=_names())["return"]
    outer = get_origin(wanted)
    return Shape(outer if outer in (Sequence, Mapping) else None, get_args(wanted)[-1] if outer else wanted)


def look_at(value: Any, kind: Any) -> Any:
    """`value`, if it is of this kind. Raises AnswerError."""
    if kind is Any:
        return value
    if getattr(kind, "_is_protocol", False):
        if missing := [name for name in members(kind) if not hasattr(value, name)]:
            raise AnswerError(f"{named(type(value))} is no {named(kind)}: it has no {', '.join(missing)}")
        return value
    if not isinstance(value, kind):
        raise AnswerError(f"{named(kind)} is wanted, not {named(type(value))}")
    if _is_plain(value.__class__):
        _look_into(value)
    return value


def members(protocol: type) -> tuple[str, ...]:
    """The attributes and methods that a protocol names, those of the protocols that it extends first."""
    named = [
        name for kind in reversed(protocol.__mro__) for name in (*vars(kind).get("__annotations__", ()), *vars(kind))
    ]
    return tuple(dict.fromkeys(name for name in named if not name.startswith("_")))


def named(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


def _look_into(value: msgspec.Struct) -> None:
    try:
        msgspec.convert(msgspec.structs.asdict(value), type(value))
    except msgspec.ValidationError as error:
        raise AnswerError(f"{named(type(value))}: {error}") from None


@cache
def _is_plain(kind: Hashable) -> bool:
    """Whether msgspec knows the types of all its fields; those that hold functions are not looked into."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return False
    try:
        msgspec.convert({}, kind)
    except msgspec.ValidationError:
        return True
    except (TypeError, NameError):  # a field is a function, or of a type that is there for type checkers alone
        return False
    return True


def _bounded(items: Iterable[Any]) -> Iterable[Any]:
    found = list(islice(items, MOST_ITEMS + 1))
    if len(found) > MOST_ITEMS:
        raise AnswerError(f"more than {MOST_ITEMS} items")
    return found


def _names() -> dict[str, Any]:
    """What annotations name that `hookspecs` imports for type checkers alone; imported late, against a circle."""
    import click
    import sqlalchemy

    from servicepunkt.core import declarations, identification, jobs, protocols
    from servicepunkt.core.applications import model as applications
    from servicepunkt.core.catalogue.formats import model as formats
    from servicepunkt.core.conformance import model as conformance
    from servicepunkt.core.notices import model as notices
    from servicepunkt.core.orders import model as orders
    from servicepunkt.core.plugins import new

    found: dict[str, Any] = {"click": click, "sqlalchemy": sqlalchemy, "Callable": Callable}
    for module in (
        applications,
        declarations,
        protocols,
        formats,
        conformance,
        identification,
        notices,
        orders,
        jobs,
        new,
    ):
        found |= vars(module)
    return found
