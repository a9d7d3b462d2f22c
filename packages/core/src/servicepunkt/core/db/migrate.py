"""One Alembic history over all packages: each plugin brings a folder, each folder is a labelled branch."""

from __future__ import annotations

from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate import App, SyncPsycopgConnector

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.schema import APPLICATION_ROLE
from servicepunkt.core.errors import BusyTablesError
from servicepunkt.core.plugins import PluginHost

ENVIRONMENT = Path(__file__).parent / "alembic"
TRIES = 12


def config(url: str, plugins: PluginHost) -> Config:
    """Alembic's configuration, with the folders of all installed plugins."""
    settings = Config()
    settings.set_main_option("script_location", str(ENVIRONMENT))
    folders = [str(answer.value) for answer in plugins.startup("migrations")]
    settings.set_main_option("version_locations", "\n".join(folders))
    settings.set_main_option("path_separator", "newline")
    settings.attributes["url"] = url
    return settings


def upgrade(owner_url: str, plugins: PluginHost) -> None:
    """Bring the database to the newest revision of every package, and the job queue's own tables with it.

    It waits some seconds for a lock and no longer, because everybody waits behind it; it is tried again instead.
    Raises BusyTablesError after `TRIES`; nothing was changed.
    """
    install_jobs(owner_url)
    for _ in range(TRIES):
        try:
            command.upgrade(config(owner_url, plugins), "heads")
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
        else:
            return
    raise BusyTablesError


def at_head(url: str, plugins: PluginHost) -> bool:
    """Whether the database has the tables of every installed package: at its newest revision, or beyond.

    Beyond it is while an upgrade goes round: a version lives with the tables of the next one.
    """
    script = ScriptDirectory.from_config(config(url, plugins))
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            heads = MigrationContext.configure(connection).get_current_heads()
    finally:
        engine.dispose()
    known = {revision.revision for revision in script.walk_revisions()}
    # A revision that others depend on is not a head of its own in the table; count it as applied.
    current = {revision.revision for revision in script.get_all_current(tuple(known.intersection(heads)))}
    beyond = set(heads) - known
    return all(wanted in current or any(_follows(head, wanted) for head in beyond) for wanted in script.get_heads())


def _follows(revision: str, earlier: str) -> bool:
    """Whether a revision comes after another of the same package, by their names: package_number."""
    (package, _, number), (same, _, known) = revision.rpartition("_"), earlier.rpartition("_")
    return package == same and number.isdigit() and known.isdigit() and int(number) > int(known)


def install_jobs(owner_url: str) -> None:
    """Make procrastinate's tables when they are missing; the application's role works with them, owns none."""
    connector = SyncPsycopgConnector(conninfo=conninfo(owner_url))
    with psycopg.connect(conninfo(owner_url)) as connection:
        present = connection.execute("SELECT to_regclass('procrastinate_jobs') IS NOT NULL").fetchone()
    if not (present and present[0]):
        with App(connector=connector).open() as app:
            app.schema_manager.apply_schema()
    with psycopg.connect(conninfo(owner_url)) as connection:
        for table in ("jobs", "events", "periodic_defers", "workers"):
            connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_{table} TO {APPLICATION_ROLE}")
        connection.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APPLICATION_ROLE}")
