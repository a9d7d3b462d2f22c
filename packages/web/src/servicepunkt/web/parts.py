"""Parts of pages that hold nothing of who looks at them: rendered once, and kept while they are asked for.

A part is kept under everything that it is made of. It is rendered without a session, a form's token, a nonce or the
tenant's settings, and a template that asks for one of them fails: nobody is shown what was made for somebody else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

import msgspec
from markupsafe import Markup

KEPT_LETTERS = 16_000_000  # of all parts of a process together
Key = tuple[Hashable, ...]


class Part(msgspec.Struct, frozen=True):
    """`foreign`: languages in it that its reader has not chosen, in their order."""

    html: Markup
    foreign: tuple[str, ...] = ()


class Parts:
    """The parts that were asked for last, up to so many letters together."""

    def __init__(self, most: int = KEPT_LETTERS) -> None:
        self._most = most
        self._letters = 0
        self._kept: OrderedDict[Key, Part] = OrderedDict()

    def get(self, key: Key, make: Callable[[], Part]) -> Part:
        """The part that was made for an equal key, or a new one."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
            self._letters += len(found.html)
            while self._letters > self._most:
                self._letters -= len(self._kept.popitem(last=False)[1].html)
        else:
            self._kept.move_to_end(key)
        return found
