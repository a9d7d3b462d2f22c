"""A virtual German ID card: `Chip.answer(command)` gives what a real one would.

`card` is the whole, `session` its stages and what it keeps, `pin` the states of the PIN, `pace`, `terminal`,
`internal`, `holder` and `files` the instructions, `messaging` and `apdu` their form, `faults` a card that fails on
demand.
"""

from servicepunkt.eid.testing.chip.card import Chip
from servicepunkt.eid.testing.chip.faults import Fault, FaultyChip
from servicepunkt.eid.testing.chip.session import Memory

__all__ = ["Chip", "Fault", "FaultyChip", "Memory"]
