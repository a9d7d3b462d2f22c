"""Settings of one deployment, read once from SERVICEPUNKT_* environment variables."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import platformdirs

from servicepunkt.core.clock import Clock, RehearsalClock, SystemClock
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.secrets import read_secret

PREFIX = "SERVICEPUNKT_"
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SERVICEPUNKT_HOME, SERVICEPUNKT_DATABASE_URL and so on; the field name in capitals after the prefix.

    home                  the folder for what the deployment keeps itself: embedded database, master key
    database_url          the application's role; without it the embedded PostgreSQL below `home` is started
    owner_database_url    the role that owns the tables: migrations and `tenant apply`; not needed by serve and worker
    direct_database_url   the application's role past a pooler, for LISTEN; with it `database_url` leads to the pooler
    replica_database_url  the application's role on a copy from which published revisions are read
    backup_database_url   a role with REPLICATION, for backups of the whole server; not needed by serve and worker
    postgres_programs     folder of PostgreSQL's programs in the server's version; without it they are looked for
    master_key            reference to 32 bytes in hexadecimal; without it a file below `home` is made
    public_url            how people reach the centre, for QR codes and links
    secure_cookies        cookies only over HTTPS; switch off only on loopback
    rehearsal_clock       file with a shift in seconds; only for demonstrations
    phone_url             the rehearsal telephone that shows SMS, only for demonstrations
    plugins               names of the plugins to load, separated by commas; without it all that are installed
    log_level             DEBUG, INFO, WARNING, ERROR or CRITICAL
    tenant_requests       requests a second that one process answers for one tenant's visitors; 0 for no limit
    address_requests      the same for one address of a network; what is left over is saved up for ten seconds
    operator_tenant       slug of the tenant whose operators see the console of the platform; empty: nobody does
    smtp_url              mail server: smtp://host:port/?sender=address (with STARTTLS), or smtps://; see the channel
    """

    home: Path = Path(platformdirs.user_data_dir("servicepunkt"))
    database_url: str = ""
    owner_database_url: str = ""
    direct_database_url: str = ""
    replica_database_url: str = ""
    backup_database_url: str = ""
    postgres_programs: str = ""
    master_key: str = ""
    public_url: str = "http://127.0.0.1:8600"
    secure_cookies: bool = True
    rehearsal_clock: str = ""
    phone_url: str = ""
    plugins: str = ""
    log_level: LogLevel = "INFO"
    tenant_requests: Annotated[float, msgspec.Meta(ge=0)] = 100.0
    address_requests: Annotated[float, msgspec.Meta(ge=0)] = 20.0
    operator_tenant: str = ""
    smtp_url: str = ""

    @property
    def listening_url(self) -> str:
        """Where LISTEN works and statements may be prepared: behind a pooler each transaction has another session."""
        return self.direct_database_url or self.database_url

    @property
    def clock(self) -> Clock:
        return RehearsalClock(Path(self.rehearsal_clock)) if self.rehearsal_clock else SystemClock()

    def master_key_bytes(self) -> bytes:
        """The 32 bytes that wrap the tenants' keys."""
        raw = read_secret(self.master_key) if self.master_key else self._own_master_key()
        try:
            key = bytes.fromhex(raw.decode())
        except (ValueError, UnicodeDecodeError) as error:
            raise SettingsError("the master key is not hexadecimal") from error
        if len(key) != 32:
            raise SettingsError("the master key has to be 32 bytes (64 hexadecimal digits)")
        return key

    def _own_master_key(self) -> bytes:
        path = self.home / "master.key"
        if path.exists():
            return path.read_bytes()
        self.home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.home, prefix="master.", delete=False) as file:
            file.write(secrets.token_bytes(32).hex().encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link fails when another process was first: its key stays, ours is forgotten.
            path.hardlink_to(file.name)
        except FileExistsError:
            return path.read_bytes()
        finally:
            Path(file.name).unlink()
        return path.read_bytes()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from `environment`; a SERVICEPUNKT_ variable that does not exist is refused with the known names."""
    known = set(Settings.__struct_fields__)
    given = {key.removeprefix(PREFIX).lower(): value for key, value in environment.items() if key.startswith(PREFIX)}
    foreign = {key for key in given if key.startswith(("test_", "box_", "peer_")) or key in OTHER_VARIABLES}
    if unknown := set(given) - known - foreign:
        names = ", ".join(sorted(PREFIX + name.upper() for name in unknown))
        raise SettingsError(f"unknown settings: {names}; known are {', '.join(sorted(known))}")
    try:
        return msgspec.convert(
            {key: given[key] for key in given if key in known}, Settings, strict=False, dec_hook=_decode
        )
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from error


OTHER_VARIABLES = frozenset({"require_peers", "kill_rounds"})


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)
