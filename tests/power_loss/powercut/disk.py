"""A disk that forgets: what was written and not synced may be lost, torn or kept when the power goes.

The model: a sync of a file keeps everything that was written to it before; nothing else does. Of what is not kept, each
write survives whole, in part (by sectors of 512 bytes), or not at all, in any combination: the disk and the kernel put
waiting writes down in an order of their own. A sector that was being written may hold anything. A created or deleted
name is kept by a sync of the folder, which SQLite does with the first sync of a new log and with a delete that asks
for it; until then the name may be as it was.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SECTOR = 512
Image = Mapping[str, bytes]  # name of a file -> its content


@dataclass(frozen=True)
class Write:
    """A write to an inode; `data` is None for a truncation to `offset`."""

    inode: int
    offset: int
    data: bytes | None


@dataclass(frozen=True)
class Named:
    """From now on the name means this inode, or nothing."""

    name: str
    inode: int | None
    kept: bool = False


@dataclass(frozen=True)
class Sync:
    inode: int
    folder: bool


@dataclass(frozen=True)
class Begun:
    """A transaction that leads to this state is about to be acknowledged."""

    state: str


@dataclass(frozen=True)
class Acknowledged:
    state: str


Operation = Write | Named | Sync | Begun | Acknowledged


class Disk:
    """What programs see of the disk at this moment, and everything that they have done to it since `start`."""

    def __init__(self, start: Image | None = None) -> None:
        self.start = dict(start or {})
        self.operations: list[Operation] = []
        self.names: dict[str, int] = {}
        self._contents: dict[int, bytearray] = {}
        for name, content in self.start.items():
            self.names[name] = len(self._contents)
            self._contents[self.names[name]] = bytearray(content)

    def create(self, name: str) -> int:
        inode = len(self._contents)
        self._contents[inode] = bytearray()
        self.names[name] = inode
        self.operations.append(Named(name, inode))
        return inode

    def delete(self, name: str, *, kept: bool) -> None:
        del self.names[name]
        self.operations.append(Named(name, None, kept))

    def read(self, inode: int, amount: int, offset: int) -> bytes:
        return bytes(self._contents[inode][offset : offset + amount])

    def size(self, inode: int) -> int:
        return len(self._contents[inode])

    def write(self, inode: int, offset: int, data: bytes | None) -> None:
        change(self._contents[inode], offset, data)
        self.operations.append(Write(inode, offset, data))

    def sync(self, inode: int, *, folder: bool) -> None:
        self.operations.append(Sync(inode, folder))


def change(content: bytearray, offset: int, data: bytes | None) -> None:
    """One write, or a truncation where `data` is None."""
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


@dataclass
class Platter:
    """What is kept for certain after the first operations of a disk, and what waits to be."""

    names: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytearray] = field(default_factory=dict)
    waiting: list[Write] = field(default_factory=list)
    naming: list[Named] = field(default_factory=list)
    acknowledged: str = ""
    begun: str = ""

    @classmethod
    def of(cls, start: Image, state: str) -> Platter:
        names = {name: inode for inode, name in enumerate(start)}
        return cls(names, {names[name]: bytearray(start[name]) for name in start}, acknowledged=state, begun=state)

    @property
    def allowed(self) -> frozenset[str]:
        """The states of which one has to be found after a cut: nothing acknowledged is lost, nothing is half there."""
        return frozenset({self.acknowledged, self.begun})

    def take(self, operation: Operation) -> None:
        match operation:
            case Write():
                self.waiting.append(operation)
            case Named(inode=inode, kept=kept):
                if inode is not None:
                    self.contents[inode] = bytearray()
                self.naming.append(operation)
                if kept:
                    self._keep_names()
            case Sync(inode=inode, folder=folder):
                for write in (w for w in self.waiting if w.inode == inode):
                    change(self.contents[inode], write.offset, write.data)
                self.waiting = [w for w in self.waiting if w.inode != inode]
                if folder:
                    self._keep_names()
            case Begun(state=state):
                self.begun = state
            case Acknowledged(state=state):
                self.acknowledged = self.begun = state

    def _keep_names(self) -> None:
        for named in self.naming:
            _name(self.names, named)
        self.naming.clear()

    def cut(self, chance: random.Random) -> Image:
        """What is found when the power comes back."""
        contents = {inode: bytearray(content) for inode, content in self.contents.items()}
        kept, torn = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0)), chance.choice((0.0, 0.2, 1.0))
        for write in self.waiting:
            if chance.random() < kept:
                _apply(contents[write.inode], write, chance if chance.random() < torn else None)
        names = dict(self.names)
        stuck: set[str] = set()  # of one name the changes are kept in their order
        for named in self.naming:
            if named.name not in stuck and chance.random() < kept:
                _name(names, named)
            else:
                stuck.add(named.name)
        return {name: bytes(contents[inode]) for name, inode in names.items()}


def _name(names: dict[str, int], named: Named) -> None:
    if named.inode is None:
        names.pop(named.name, None)
    else:
        names[named.name] = named.inode


def _apply(content: bytearray, write: Write, chance: random.Random | None) -> None:
    """A waiting write that survives, torn at sectors if there is a `chance`."""
    if write.data is None or chance is None:
        change(content, write.offset, write.data)
        return
    for start, piece in sectors(write.offset, write.data):
        what = chance.random()
        if what < 0.5:
            change(content, start, piece)
        elif what < 0.55:
            change(content, start, chance.randbytes(len(piece)))


def sectors(offset: int, data: bytes) -> Sequence[tuple[int, bytes]]:
    """A write, piece by piece as it falls into sectors."""
    pieces, at = [], 0
    while at < len(data):
        length = min(SECTOR - (offset + at) % SECTOR, len(data) - at)
        pieces.append((offset + at, data[at : at + length]))
        at += length
    return pieces
