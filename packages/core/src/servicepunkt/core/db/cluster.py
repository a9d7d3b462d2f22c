"""A PostgreSQL cluster in a folder of one's own, run by the programs of any version: rehearsals and tests need one.

It listens on a socket in its folder and nowhere else. PostgreSQL refuses to run with root's rights; started by root,
it runs as one of `ACCOUNTS`, to whom the folder then belongs.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from servicepunkt.core.db import embedded
from servicepunkt.core.errors import MissingProgramError, ProgramFailedError

#: The distribution's account, and that of the wheel.
ACCOUNTS = ("postgres", "pgserver")
SUPERUSER = "postgres"
START_SECONDS = 600
#: The path of a socket may have 107 bytes; one that would be longer lies in a temporary folder.
SOCKET_FOLDER = 85
#: Where distributions keep the programs of a version.
PLACES = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin")


class Cluster:
    """`folder` holds data, socket and log; `programs` is the folder of initdb, postgres, pg_ctl and the others."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        self.account = account(programs)
        self.sockets = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._give(folder)

    def _give(self, folder: Path) -> None:
        if self.account:
            shutil.chown(folder, self.account)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def conninfo(self) -> str:
        """For the superuser, in libpq's form."""
        return f"host={self.sockets} user={SUPERUSER} dbname=postgres"

    def run(self, program: str, *arguments: str, password: str = "") -> str:
        """Run one of PostgreSQL's programs as the cluster's account; what it said. Raises ProgramFailedError."""
        path = self.programs / program
        if not path.exists():
            raise MissingProgramError(f"PostgreSQL's {program} is not in {self.programs}")
        return run_program([str(path), *arguments], folder=self.folder, user=self.account, password=password)

    def create(self) -> None:
        """An empty cluster in UTF-8 whose local users are trusted; it never leaves its folder."""
        self.run(
            "initdb",
            *("--pgdata", str(self.data), "--username", SUPERUSER, "--auth", "trust", "--no-sync"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
        )

    def start(self, settings: Mapping[str, str] | None = None, *, wait: int = START_SECONDS) -> None:
        """Start the server with these settings; returns when it takes connections, after at most `wait` seconds."""
        if len(bytes(self.sockets.resolve())) > SOCKET_FOLDER:
            self.sockets = Path(tempfile.mkdtemp(prefix="servicepunkt-"))
            self._give(self.sockets)
        given = {"listen_addresses": "", "unix_socket_directories": str(self.sockets), **(settings or {})}
        options = " ".join(f"-c {name}='{value}'" for name, value in given.items())
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-t", str(wait), "-D", str(self.data), "-l", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: the next start recovers from the log of writes."""
        if self.runs():
            self.run("pg_ctl", "stop", "-w", "-D", str(self.data), "-m", mode)
        if self.sockets != self.folder:
            shutil.rmtree(self.sockets, ignore_errors=True)
            self.sockets = self.folder

    def runs(self) -> bool:
        """Whether the server is there. A file that outlived its server may name somebody else's process by now."""
        file = self.data / "postmaster.pid"
        if not file.exists():
            return False
        process = Path("/proc", file.read_text().split("\n", 1)[0])
        return process.exists() and str(self.data) in (process / "cmdline").read_bytes().decode(errors="replace")

    @contextmanager
    def running(self, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
        """Started for the length of the block."""
        try:
            self.start(settings)
            yield self
        finally:
            self.stop("immediate")


def account(programs: Path) -> str | None:
    """The user under which PostgreSQL runs: one's own, unless that is root; then the one whose programs these are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    wanted = reversed(ACCOUNTS) if programs == embedded.programs() else ACCOUNTS
    return next((name for name in wanted if name in known), "nobody")


def programs_of(major: int, named: str = "") -> Path:
    """The folder of PostgreSQL's programs in this major version: the one `named`, the wheel's, a distribution's, or
    what the path leads to. Raises MissingProgramError."""
    on_path = shutil.which("postgres") or shutil.which("pg_basebackup")
    candidates = [Path(named)] if named else [
        embedded.programs(),
        *(Path(place.format(major=major)) for place in PLACES),
        *([Path(on_path).resolve().parent] if on_path else []),
    ]  # fmt: skip
    for folder in candidates:
        if version_of(folder) == major:
            return folder
    looked = ", ".join(str(folder) for folder in candidates)
    raise MissingProgramError(f"the programs of PostgreSQL {major} are not on this computer; looked in {looked}")


def version_of(programs: Path) -> int | None:
    """The major version of the programs in a folder; None where there are none."""
    program = programs / "pg_basebackup"
    if not program.exists():
        return None
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout  # noqa: S603
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else None


def run_program(command: list[str], *, folder: Path, user: str | None = None, password: str = "") -> str:
    """Run a program in a folder, with little of one's own environment; what it said. Raises ProgramFailedError.

    The password stands in the environment: a command line may be read by everybody.
    """
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    if password:
        environment["PGPASSWORD"] = password
    # Into a file: a server that is started keeps it open, and a pipe would never end.
    with tempfile.TemporaryFile("w+") as words:
        ended = subprocess.run(  # noqa: S603 - programs of PostgreSQL, arguments of the operator
            command, check=False, stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd=folder,
            user=user, group=pwd.getpwnam(user).pw_gid if user else None, extra_groups=[] if user else None,
            env=environment,
        )  # fmt: skip
        words.seek(0)
        said = words.read().strip()
    if ended.returncode:
        raise ProgramFailedError(f"{Path(command[0]).name} ended with {ended.returncode}: {said[-600:]}")
    return said
