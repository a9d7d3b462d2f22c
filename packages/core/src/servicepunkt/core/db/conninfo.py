"""An address of a database as libpq writes it: apart from migrations, whose tools most commands do not load."""

from __future__ import annotations

import sqlalchemy as sa


def conninfo(url: str) -> str:
    """libpq's form of a SQLAlchemy URL."""
    parsed = sa.make_url(url)
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)
