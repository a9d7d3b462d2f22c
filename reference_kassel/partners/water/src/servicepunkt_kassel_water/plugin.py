"""Water meters: which one is read is chosen here; its number and reading are said at the counter and not stored."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core import hookimpl
from servicepunkt.core.orders.listed import Listed
from servicepunkt.core.orders.model import Choice, Sale

servicepunkt_api = "1"
METERS = (
    Choice(item="house", words={"de": "Zähler im Haus ablesen", "en": "Report the meter of a house"}),
    Choice(item="garden", words={"de": "Gartenzähler ablesen", "en": "Report a garden meter"}),
    Choice(item="moved", words={"de": "Ablesen beim Ein- oder Auszug", "en": "Report a meter when moving"}),
)


@hookimpl
def sales() -> Sequence[Sale]:
    return (Listed("wasserzaehler", "kasselwasser", METERS),)
