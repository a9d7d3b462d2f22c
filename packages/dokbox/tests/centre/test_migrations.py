"""The tables of boxes go forward and back, and readiness knows where they are."""

from __future__ import annotations

from alembic import command

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.migrate import at_head, config
from servicepunkt.core.plugins import PluginHost


def test_the_database_is_behind_until_the_last_step(urls: Urls, plugins: PluginHost) -> None:
    settings = config(urls.owner, plugins)
    assert at_head(urls.application, plugins)
    command.downgrade(settings, "dokbox@-1")
    try:
        assert not at_head(urls.application, plugins)
    finally:
        command.upgrade(settings, "heads")
    assert at_head(urls.application, plugins)
