"""The journal of a box: a SQLite file with one hash-chained list of entries, and the secrets that outlive no deposit.

WAL with synchronous=FULL: an entry that was acknowledged survives a power cut (with NORMAL many simulated cuts lose
some; tests/power_loss). A disk that failed once is not believed again: what a failed sync left behind is unknown, and
trying again would not tell. The journal then takes and gives nothing until it is opened anew. Entries are never
changed. What must be erasable (tags, salts, sealed messages) stands in tables of
its own, changed in the same transaction as the entry that causes it, and overwritten when deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from servicepunkt.dokbox.errors import DiskError, JournalError
from servicepunkt.dokbox.files import sync_folder
from servicepunkt.dokbox.model import Entry

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secret (
  deposit TEXT PRIMARY KEY, locator BLOB NOT NULL, version INTEGER NOT NULL, tag BLOB) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS secret_locator ON secret (locator);
CREATE TABLE IF NOT EXISTS salt (locator BLOB PRIMARY KEY, kid TEXT NOT NULL, salt BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS proof (
  deposit TEXT NOT NULL, step TEXT NOT NULL, tag BLOB NOT NULL, PRIMARY KEY (deposit, step)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS envelope (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class Secret(msgspec.Struct, frozen=True):
    """What the box keeps of a deposit's code; `tag` is None until the first code is made."""

    deposit: str
    locator: bytes
    version: int
    tag: bytes | None

    def __repr__(self) -> str:
        return f"Secret(deposit={self.deposit!r}, version={self.version})"


# Exclusive first: then SQLite keeps the index of the write-ahead log in memory and needs no shared file for it.
PRAGMAS = ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON")


class Journal:
    """One open journal. All writes happen inside `transaction()`; leaving it is the acknowledgement.

    Every method raises DiskError when the disk fails, and from then on always: `failed` says so.
    """

    def __init__(self, path: Path, connect: object = sqlite3.connect) -> None:
        self.failed = False
        self._shredded = True  # by whoever ran before, until the log has been emptied once
        with self._guarded():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection: sqlite3.Connection = connect(path, isolation_level=None)  # type: ignore[operator]
        try:
            self._prepare(path)
        except DiskError:
            self.close()
            raise

    def _prepare(self, path: Path) -> None:
        with self._guarded():
            path.chmod(0o600)
            for pragma in PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
            self._connection.executescript(SCHEMA)
            # SQLite puts its own files' names on disk, but not those of the folders above.
            sync_folder(path.parent)
            sync_folder(path.parent.parent)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self.failed:
            raise DiskError
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self.failed = True
            raise DiskError from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside is on disk when the block is left, or nothing of it ever was.

        After DiskError one of the two is true and nobody knows which, until the journal is opened anew.
        """
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            # After a failure SQLite may have rolled back by itself, or be unable to.
            with suppress(DiskError):
                self._run("ROLLBACK")
            raise

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
        with self._guarded():
            return self._connection.execute(statement, values).fetchall()

    def entries(self, *, after: int = 0, limit: int = -1) -> Iterator[Entry]:
        with self._guarded():
            query = "SELECT seq, body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
            rows = self._connection.execute(query, (after, limit))
            for seq, body in rows.fetchall() if limit >= 0 else rows:
                yield _entry(seq, body)

    def append(self, entry: Entry) -> None:
        self._run("INSERT INTO entry VALUES (?, ?)", (entry.seq, msgspec.json.encode(entry)))

    def put_secret(self, secret: Secret) -> None:
        self._run(
            "INSERT INTO secret VALUES (?, ?, ?, ?) ON CONFLICT (deposit) DO UPDATE SET "
            "locator = excluded.locator, version = excluded.version, tag = excluded.tag",
            (secret.deposit, secret.locator, secret.version, secret.tag),
        )

    def secret(self, deposit: str) -> Secret | None:
        rows = self._run("SELECT * FROM secret WHERE deposit = ?", (deposit,))
        return Secret(*rows[0]) if rows else None

    def secrets_of(self, locator: bytes) -> list[Secret]:
        rows = self._run("SELECT * FROM secret WHERE locator = ? ORDER BY deposit", (locator,))
        return [Secret(*row) for row in rows]

    def salt_of(self, locator: bytes) -> tuple[str, bytes] | None:
        """(kid of the pepper, salt)."""
        rows = self._run("SELECT kid, salt FROM salt WHERE locator = ?", (locator,))
        return (rows[0][0], rows[0][1]) if rows else None

    def put_salt(self, locator: bytes, kid: str, salt: bytes) -> None:
        self._run("INSERT OR REPLACE INTO salt VALUES (?, ?, ?)", (locator, kid, salt))

    def kids(self) -> set[str]:
        """The peppers that codes in the box were made with."""
        return {kid for (kid,) in self._run("SELECT DISTINCT kid FROM salt")}

    def put_proof(self, deposit: str, step: str, tag: bytes) -> None:
        """Keep by what something typed or read in a step is recognised."""
        self._run("INSERT OR REPLACE INTO proof VALUES (?, ?, ?)", (deposit, step, tag))

    def drop_proofs(self, deposit: str) -> None:
        """Erase by what somebody was recognised."""
        self._run("DELETE FROM proof WHERE deposit = ?", (deposit,))
        self._shredded = True

    def proof(self, deposit: str, step: str) -> bytes | None:
        rows = self._run("SELECT tag FROM proof WHERE deposit = ? AND step = ?", (deposit, step))
        return rows[0][0] if rows else None

    def shred(self, deposit: str) -> None:
        """Erase a deposit's tag and proofs, and the salt of its locator when no other code needs it."""
        found = self.secret(deposit)
        self._run("DELETE FROM secret WHERE deposit = ?", (deposit,))
        self.drop_proofs(deposit)
        self._shredded = True
        if found is not None:
            self.drop_salt(found.locator)

    def clean(self) -> None:
        """After something was erased: put the log into the file and empty it, for the log holds what it was."""
        if self._shredded:
            self._run("PRAGMA wal_checkpoint(TRUNCATE)")
            self._shredded = False

    def forget(self, deposit: str) -> None:
        """Erase a deposit's tag and keep its locator: the code is dead, the number may still get a new one."""
        found = self.secret(deposit)
        if found is not None:
            self.put_secret(Secret(deposit, found.locator, found.version, None))
            self.drop_salt(found.locator)
            self._shredded = True

    def drop_salt(self, locator: bytes) -> None:
        """Erase the salt of a locator whose codes are all gone."""
        if all(secret.tag is None for secret in self.secrets_of(locator)):
            self._run("DELETE FROM salt WHERE locator = ?", (locator,))

    def put_envelope(self, seq: int, sealed: bytes) -> None:
        self._run("INSERT INTO envelope VALUES (?, ?)", (seq, sealed))

    def envelope(self, seq: int) -> bytes | None:
        rows = self._run("SELECT sealed FROM envelope WHERE seq = ?", (seq,))
        return rows[0][0] if rows else None

    def drop_envelopes(self, *, up_to: int, before: datetime) -> None:
        """Erase what was sealed with entries up to a sequence that were written before an instant."""
        for (seq,) in self._run("SELECT seq FROM envelope WHERE seq <= ?", (up_to,)):
            entry = next(self.entries(after=seq - 1, limit=1))
            if entry.at < before:
                self._run("DELETE FROM envelope WHERE seq = ?", (seq,))
                self._shredded = True

    def erase_secrets(self) -> None:
        """Everything by which a code could be recognised, and what was sealed for the centre."""
        with self.transaction():
            self._run("DELETE FROM secret")
            self._run("DELETE FROM salt")
            self._run("DELETE FROM proof")
            self._run("DELETE FROM envelope")

    def meta(self, key: str) -> bytes | None:
        rows = self._run("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def put_meta(self, key: str, value: bytes) -> None:
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def drop_meta(self, key: str) -> None:
        self._run("DELETE FROM meta WHERE key = ?", (key,))

    def close(self) -> None:
        """Give the file back; what fails here was not acknowledged to anybody."""
        with suppress(sqlite3.Error):
            self._connection.close()


def set_aside(path: Path, *, at: datetime) -> Path:
    """Close a journal for good: its secrets are erased, its entries stay in a file beside it, which is returned.

    A file that cannot be opened is set aside as it is. Raises FileNotFoundError, and BlockingIOError while a box runs
    on it.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        journal = Journal(path)
        try:
            journal.erase_secrets()
        finally:
            journal.close()
    except DiskError as error:
        # The low byte is the kind of error, the rest says more about it.
        if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise BlockingIOError(path) from None
    kept = path.with_name(f"{path.stem}-{at:%Y%m%dT%H%M%SZ}{path.suffix}")
    for ending in ("", "-wal", "-shm"):
        if (part := path.with_name(path.name + ending)).exists():
            part.rename(kept.with_name(kept.name + ending))
    sync_folder(path.parent)
    return kept


def _entry(seq: int, body: bytes | None) -> Entry:
    """Raises JournalError for what is no entry: a damaged file may give anything."""
    try:
        return msgspec.json.decode(body or b"", type=Entry)
    except msgspec.DecodeError:
        raise JournalError(seq=seq) from None
