"""How often somebody may try one-time codes: a count for each tenant and address, in bounded memory. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from servicepunkt.core.errors import TooManyRequestsError

WINDOW = timedelta(minutes=1)
MOST = 20
MAX_KEYS = 4096


class Attempts:
    """Counts attempts of the last minute; of too many addresses those that were quiet longest are forgotten."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, str], deque[datetime]] = OrderedDict()

    def count(self, tenant_id: int, address: str, now: datetime) -> None:
        """Raises TooManyRequestsError for the attempt after the twentieth within a minute."""
        made = self._made.setdefault((tenant_id, address), deque())
        self._made.move_to_end((tenant_id, address))
        while len(self._made) > MAX_KEYS:
            self._made.popitem(last=False)
        while made and now - made[0] >= WINDOW:
            made.popleft()
        if len(made) >= MOST:
            raise TooManyRequestsError
        made.append(now)
