"""SQLite on a `Disk`, by way of APSW, with the outside of the standard library's connection.

APSW brings an SQLite of its own (newer than the machine's); what the cuts leave is opened with the standard library's.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from powercut.disk import Acknowledged, Begun, Disk

LOGS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
TABLES = ("entry", "secret", "salt", "envelope", "meta")
# What SQLite asks of the disk; `Fault` is told of each before it happens.
Fault = Callable[[str], None]
_names = itertools.count()


def no_fault(call: str) -> None:
    """The disk works."""


class File:
    """One open file, as SQLite's methods of a file."""

    def __init__(self, system: System, disk: Disk, name: str, inode: int, *, log: bool, temporary: bool) -> None:
        self._system, self._disk, self._name, self._inode, self._temporary = system, disk, name, inode, temporary
        self._folder_waits = log

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's names
        self._system.fault("read")
        return self._disk.read(self._inode, amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._system.fault("write")
        self._disk.write(self._inode, offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._system.fault("truncate")
        self._disk.write(self._inode, size, None)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._system.fault("sync")
        self._disk.sync(self._inode, folder=self._folder_waits)
        self._folder_waits = False

    def xFileSize(self) -> int:  # noqa: N802
        self._system.fault("size")
        return self._disk.size(self._inode)

    def xClose(self) -> None:  # noqa: N802
        if self._temporary:
            self._disk.delete(self._name, kept=False)

    def xLock(self, level: int) -> None:  # noqa: N802
        """Nobody else is there."""

    def xUnlock(self, level: int) -> None:  # noqa: N802
        """Nobody else is there."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        """As SQLite's own for Unix says: bytes beside those that are written do not change."""
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)


class System(apsw.VFS):
    """The disk as SQLite's file system; one for each connection."""

    def __init__(self, disk: Disk, fault: Fault) -> None:
        self.name = f"powercut-{next(_names)}"
        self._disk, self.fault = disk, fault
        super().__init__(self.name, base="")

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xAccess(self, name: str, flags: int) -> bool:  # noqa: N802
        self.fault("access")
        return Path(name).name in self._disk.names

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        self.fault("delete")
        if Path(name).name not in self._disk.names:
            raise apsw.IOError
        self._disk.delete(Path(name).name, kept=sync)

    def xOpen(self, name: Any, flags: list[int]) -> File:  # noqa: N802
        self.fault("open")
        temporary = name is None
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        plain = f"temporary-{next(_names)}" if temporary else Path(path).name
        inode = self._disk.names.get(plain)
        new = inode is None
        if inode is None:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError
            inode = self._disk.create(plain)
        flags[1] = flags[0]
        log = new and bool(flags[0] & LOGS)
        return File(self, self._disk, plain, inode, log=log, temporary=temporary)


class Connection:
    """As much of `sqlite3.Connection` as the journal uses; faults come out as the standard library's errors."""

    def __init__(self, disk: Disk, path: Path, *, fault: Fault, pragmas: dict[str, str]) -> None:
        path.touch()  # the journal sets the rights of a file that the real disk never fills
        self._disk, self._pragmas = disk, pragmas
        self._system = System(disk, fault)
        with _translated():
            self._connection = apsw.Connection(str(path), vfs=self._system.name)
            self._connection.wal_autocheckpoint(int(pragmas.get("wal_autocheckpoint", "1000")))

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        with _translated():
            if statement == "COMMIT":
                self._commit()
                return Rows([])
            return self._all(self._instead_of(statement), values)

    def executescript(self, script: str) -> None:
        with _translated():
            self._all(script)

    def close(self) -> None:
        with _translated():
            try:
                self._connection.close(True)
            except apsw.Error:
                self._system.fault = no_fault  # as a process that ends, whatever could not be written
                self._connection.close(True)
                raise
            finally:
                self._system.unregister()

    def _all(self, statement: str, values: tuple[object, ...] = ()) -> Rows:
        """What a statement gives; its cursor ends here, with the errors that it still has to tell."""
        cursor = self._connection.cursor()
        try:
            return Rows(cursor.execute(statement, values).fetchall())
        finally:
            cursor.close(True)

    def _commit(self) -> None:
        state = state_of(self._connection)
        self._disk.operations.append(Begun(state))
        self._all("COMMIT")
        self._disk.operations.append(Acknowledged(state))

    def _instead_of(self, statement: str) -> str:
        """The settings of the campaign in the place of the journal's own."""
        name = statement.removeprefix("PRAGMA ").partition("=")[0]
        return f"PRAGMA {name}={self._pragmas[name]}" if name in self._pragmas else statement


class Rows(list[Any]):
    """What a statement gave, read at once."""

    def fetchall(self) -> list[Any]:
        return self


@contextmanager
def _translated() -> Iterator[None]:
    """APSW's errors as the standard library's; of a fault within a fault SQLite itself makes nothing."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda found: None if issubclass(found.exc_type, apsw.Error) else hook(found)
    try:
        yield
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error
    finally:
        sys.unraisablehook = hook


def connect_to(disk: Disk, *, fault: Fault = no_fault, **pragmas: str) -> Callable[..., Connection]:
    """What a journal takes as `connect`, on this disk; `pragmas` take the place of its own."""

    def connect(path: Path, *, isolation_level: None) -> Connection:
        return Connection(disk, path, fault=fault, pragmas=pragmas)

    return connect


def state_of(connection: Any) -> str:
    """A digest of everything that a journal holds."""
    digest = hashlib.sha256()
    for table in TABLES:
        rows = list(connection.execute(f"SELECT * FROM {table} ORDER BY 1"))
        if rows:
            digest.update(repr((table, [tuple(row) for row in rows])).encode())
    return digest.hexdigest()
