"""The journal of a box: a SQLite file with one hash-chained list of entries, and the secrets that outlive no deposit.

WAL with synchronous=FULL: an entry that was acknowledged survives a power cut (with NORMAL three in four simulated
cuts lost some). Entries are never changed. What must be erasable (tags, salts, sealed messages) stands in tables of
its own, changed in the same transaction as the entry that causes it, and overwritten when deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

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


class Journal:
    """One open journal. All writes happen inside `transaction()`; leaving it is the acknowledgement."""

    def __init__(self, path: Path, connect: object = sqlite3.connect) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection: sqlite3.Connection = connect(path, isolation_level=None)  # type: ignore[operator]
        path.chmod(0o600)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "locking_mode=EXCLUSIVE"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside is on disk when the block is left, or nothing of it ever was."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def entries(self, *, after: int = 0, limit: int = -1) -> Iterator[Entry]:
        rows = self._connection.execute("SELECT body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        for (body,) in rows.fetchall() if limit >= 0 else rows:
            yield msgspec.json.decode(body, type=Entry)

    def append(self, entry: Entry) -> None:
        self._connection.execute("INSERT INTO entry VALUES (?, ?)", (entry.seq, msgspec.json.encode(entry)))

    def put_secret(self, secret: Secret) -> None:
        self._connection.execute(
            "INSERT INTO secret VALUES (?, ?, ?, ?) ON CONFLICT (deposit) DO UPDATE SET "
            "locator = excluded.locator, version = excluded.version, tag = excluded.tag",
            (secret.deposit, secret.locator, secret.version, secret.tag),
        )

    def secret(self, deposit: str) -> Secret | None:
        row = self._connection.execute("SELECT * FROM secret WHERE deposit = ?", (deposit,)).fetchone()
        return Secret(*row) if row else None

    def secrets_of(self, locator: bytes) -> list[Secret]:
        rows = self._connection.execute("SELECT * FROM secret WHERE locator = ? ORDER BY deposit", (locator,))
        return [Secret(*row) for row in rows]

    def salt_of(self, locator: bytes) -> tuple[str, bytes] | None:
        """(kid of the pepper, salt)."""
        row = self._connection.execute("SELECT kid, salt FROM salt WHERE locator = ?", (locator,)).fetchone()
        return (row[0], row[1]) if row else None

    def put_salt(self, locator: bytes, kid: str, salt: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO salt VALUES (?, ?, ?)", (locator, kid, salt))

    def put_proof(self, deposit: str, step: str, tag: bytes) -> None:
        """Keep by what something typed or read in a step is recognised."""
        self._connection.execute("INSERT OR REPLACE INTO proof VALUES (?, ?, ?)", (deposit, step, tag))

    def proof(self, deposit: str, step: str) -> bytes | None:
        row = self._connection.execute(
            "SELECT tag FROM proof WHERE deposit = ? AND step = ?", (deposit, step)
        ).fetchone()
        return row[0] if row else None

    def shred(self, deposit: str) -> None:
        """Erase a deposit's tag and proofs, and the salt of its locator when no other deposit needs it."""
        found = self.secret(deposit)
        self._connection.execute("DELETE FROM secret WHERE deposit = ?", (deposit,))
        self._connection.execute("DELETE FROM proof WHERE deposit = ?", (deposit,))
        if found is not None:
            self.drop_salt(found.locator)

    def drop_salt(self, locator: bytes) -> None:
        """Erase the salt of a locator by which nothing is found any more."""
        if not self.secrets_of(locator):
            self._connection.execute("DELETE FROM salt WHERE locator = ?", (locator,))

    def put_envelope(self, seq: int, sealed: bytes) -> None:
        self._connection.execute("INSERT INTO envelope VALUES (?, ?)", (seq, sealed))

    def envelope(self, seq: int) -> bytes | None:
        row = self._connection.execute("SELECT sealed FROM envelope WHERE seq = ?", (seq,)).fetchone()
        return row[0] if row else None

    def drop_envelopes(self, *, up_to: int) -> None:
        self._connection.execute("DELETE FROM envelope WHERE seq <= ?", (up_to,))

    def meta(self, key: str) -> bytes | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put_meta(self, key: str, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        self._connection.close()
