"""Locks that may go without a test noticing, each with the reason: another one stands behind it, or nothing is lost."""

from __future__ import annotations

#: (module, beginning of the lock's source) and why nobody notices.
EXPLAINED: dict[tuple[str, str], str] = {
    ("servicepunkt.core.db.guard", "return"): "an INSERT into a table of no tenant, which no use case makes",
    ("servicepunkt.core.db.guard", "raise TenantMismatchError('INSERT from SELECT"): (
        "what follows finds no tenant in such an INSERT, and refuses it, too"
    ),
    ("servicepunkt.core.people.links.service", "ctx.id"): "the directory gives the very same tenant again",
    ("servicepunkt.web.operators.consents", "access.permission('staff.enter')"): (
        "whoever has no session is no visitor, and whoever has one may leave"
    ),
}


def explanation(module: str, source: str) -> str:
    """Why nobody notices that this lock is gone; empty for one that somebody has to notice."""
    return next((why for (place, said), why in EXPLAINED.items() if place == module and source.startswith(said)), "")
