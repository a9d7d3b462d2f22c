"""Copies of the whole server: take one, receive the log of writes, bring one back to a moment.

PostgreSQL's own programs do the work. A copy becomes visible by one rename when it is complete and verified, and so
does what is brought back: whoever is killed in between leaves a folder beside it, which the next one clears away.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec
import psycopg
from sqlalchemy import URL, make_url

from servicepunkt.core.backup import model
from servicepunkt.core.backup.model import BackupError
from servicepunkt.core.clock import Clock
from servicepunkt.core.db.cluster import Cluster, programs_of, run_program
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.errors import ProgramFailedError

RECEIVER = "servicepunkt-backup"
SLOT = "servicepunkt_backup"
PART = ".part"
RECOVERY_SECONDS = 24 * 3600


class Source(msgspec.Struct, frozen=True):
    """A server from which copies are taken: libpq's words for it without the password, which is never an argument."""

    conninfo: str
    password: str
    programs: Path


def source_of(url: str, programs: str = "") -> Source:
    """`url` is of a role with REPLICATION. Raises MissingProgramError unless programs of its version are here."""
    parsed = make_url(url)
    with psycopg.connect(conninfo(url)) as connection:
        major = connection.info.server_version // 10000
    plain = URL.create(
        "postgresql",
        username=parsed.username,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query={**parsed.query, "application_name": RECEIVER},
    )
    return Source(plain.render_as_string(hide_password=False), str(parsed.password or ""), programs_of(major, programs))


def take(source: Source, folder: Path, clock: Clock) -> str:
    """A copy of the whole server below `folder`/base, verified; its name."""
    base = Cluster(folder / "base", source.programs)
    part = base.folder / f".{model.name_of(clock.now())}{PART}"
    with alone(folder):
        for left in base.folder.glob(f".*{PART}"):
            # Of somebody who was killed; PostgreSQL's program may still be writing there, the next one clears it away.
            shutil.rmtree(left, ignore_errors=True)
        base.run(
            "pg_basebackup",
            *("--dbname", source.conninfo, "--pgdata", str(part), "--checkpoint", "fast", "--wal-method", "stream"),
            *("--manifest-checksums", "SHA256", "--no-password"),
            password=source.password,
        )
        verify(part)
        name = model.name_of(clock.now())
        settle(part, base.folder / name)
    return name


def verify(copy: Path) -> None:
    """Every file of a copy is as PostgreSQL's own manifest has it. Raises BackupError with those that are not.

    By hand, because the program for it that comes in the wheel ends with a fault on every call.
    """
    try:
        manifest = msgspec.json.decode((copy / "backup_manifest").read_bytes(), type=_Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{copy} has no manifest that can be read: {error}") from error
    broken = [file.path for file in manifest.files if sha256_of(copy / file.path) != file.checksum]
    if broken:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise BackupError(f"{copy} is damaged: {', '.join(broken[:5])}{more}")


class _File(msgspec.Struct, frozen=True):
    path: str = msgspec.field(name="Path")
    checksum: str = msgspec.field(name="Checksum")


class _Manifest(msgspec.Struct, frozen=True):
    files: tuple[_File, ...] = msgspec.field(name="Files")


def sha256_of(path: Path) -> str:
    """In hexadecimal; nothing for a file that is not there."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def receive(source: Source, folder: Path) -> int:
    """Receive the log of writes into `folder`/wal until stopped; the exit code of PostgreSQL's program.

    A slot keeps on the server what was not received yet, and each piece is on the disk here before it is confirmed.
    """
    wal = Cluster(folder / "wal", source.programs)
    common = ["--dbname", source.conninfo, "--slot", SLOT, "--no-password"]
    wal.run("pg_receivewal", *common, "--create-slot", "--if-not-exists", password=source.password)
    command = [str(source.programs / "pg_receivewal"), *common, "--directory", str(wal.folder), "--synchronous"]
    child = subprocess.Popen(  # noqa: S603 - PostgreSQL's program, arguments of the operator
        command, env={**os.environ, "PGPASSWORD": source.password}, user=wal.account,
        extra_groups=[] if wal.account else None,
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.send_signal(signal.SIGINT))  # older ones know no other
    return child.wait()


def restore(folder: Path, target: Path, *, until: datetime | str | None = None, programs: str = "") -> str:
    """A data folder at `target` with everything up to `until` (a moment, or a place in the log), ready to be started;
    the name of the copy. Raises BackupError where the copy does not reach so far; then there is nothing at `target`.
    """
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target} is not empty; nothing is written over what is there")
    with recovered(folder, target.parent / f".{target.name}{PART}", until=until, programs=programs) as found:
        name, cluster = found
        cluster.stop()
        settle(cluster.data, target)
    return name


@contextmanager
def recovered(
    folder: Path, workplace: Path, *, until: datetime | str | None = None, programs: str = ""
) -> Iterator[tuple[str, Cluster]]:
    """A running server of its own with what was brought back, and the name of the copy; gone after the block."""
    name = model.newest(_names(folder / "base"), until if isinstance(until, datetime) else None)
    verify(folder / "base" / name)
    major = int((folder / "base" / name / "PG_VERSION").read_text())
    clear_server(workplace, found := programs_of(major, programs))
    cluster = Cluster(workplace, found)
    try:
        copy = ["cp", "-a", str(folder.resolve() / "base" / name), str(cluster.data)]
        run_program(copy, folder=cluster.folder, user=cluster.account)
        _recover(cluster, folder / "wal", until)
        yield name, cluster
    finally:
        clear_server(workplace, found)


def _recover(cluster: Cluster, wal: Path, until: datetime | str | None) -> None:
    """Play the log of writes; the server answers when it is through. Its own settings wait for the day it is used."""
    config, access = cluster.folder / "recovery.conf", cluster.folder / "access.conf"
    config.write_text(recovery_settings(wal.resolve(), until))
    access.write_text("local all all trust\n")
    (cluster.data / "recovery.signal").touch()
    if cluster.account:
        for path in (config, access, cluster.data / "recovery.signal"):
            shutil.chown(path, cluster.account)
    # Nobody is let in before the log is through, and the copy does not act like its original.
    own = {"hot_standby": "off", "archive_mode": "off", "ssl": "off", "synchronous_standby_names": ""}
    with suppress(ProgramFailedError):  # what the server says in its own log is told below
        cluster.start({"config_file": str(config), "hba_file": str(access), **own}, wait=RECOVERY_SECONDS)
    while not _answers(cluster):
        if not cluster.runs():
            said = (cluster.folder / "log").read_text(errors="replace")
            if "recovery ended before configured recovery target was reached" in said:
                raise BackupError(f"the log of writes in {wal} does not reach {until}")
            raise ProgramFailedError(f"the server that was to be brought back ended: {said[-600:]}")
        time.sleep(0.05)


def _answers(cluster: Cluster) -> bool:
    """It lets nobody in before the log is through."""
    try:
        psycopg.connect(cluster.conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


def recovery_settings(wal: Path, until: datetime | str | None) -> str:
    """PostgreSQL's words for it. The piece that was being received may be there in part: it is filled up with zeros."""
    piece = shlex.quote(str(wal).replace("%", "%%"))
    command = f'cp {piece}/%f "%p" 2>/dev/null || cp {piece}/%f.partial "%p"'
    lines = [f"restore_command = {_quoted(command)}", "recovery_target_action = 'promote'"]
    if isinstance(until, datetime):
        lines.append(f"recovery_target_time = {_quoted(until.isoformat())}")
    elif until:
        lines += [f"recovery_target_lsn = {_quoted(until)}", "recovery_target_inclusive = off"]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def received(url: str, place: str, *, wait: float, monotonic: Callable[[], float] = time.monotonic) -> bool:
    """Whether the receiver of the log has confirmed `place` within `wait` seconds. `url` as for `source_of`."""
    query = "SELECT max(flush_lsn) >= %s::pg_lsn FROM pg_stat_replication WHERE application_name = %s"
    end = monotonic() + wait
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        while (connection.execute(query, (place, RECEIVER)).fetchone() or (None,))[0] is not True:
            if monotonic() > end:
                return False
            time.sleep(0.01)
    return True


def clear(folder: Path) -> None:
    """What somebody left who was killed."""
    if folder.exists():
        shutil.rmtree(folder)


def clear_server(folder: Path, programs: Path) -> None:
    """The same where a server may still be running."""
    if folder.exists():
        with suppress(ProgramFailedError):
            Cluster(folder, programs).stop("immediate")
        clear(folder)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time writes copies into a folder. Raises BackupError."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"somebody else is writing a copy into {folder}") from error
        yield


def settle(part: Path, place: Path) -> None:
    """Everything is on the disk before its name is."""
    os.sync()
    part.rename(place)
    descriptor = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
