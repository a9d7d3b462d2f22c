"""A simulated cabinet behind a simulated serial line, for tests, demonstrations and training.

It shares no code with the driver, on purpose: the same mistake in both would hide itself.
``simulator.pages`` (needs litestar) shows it, ``simulator.command`` runs it; both are imported by name.
"""

from servicepunkt.dokbox.simulator.krcu16 import KrCu16Boards, Transmission
from servicepunkt.dokbox.simulator.line import Line
from servicepunkt.dokbox.simulator.model import (
    AnyFault,
    BlindSensor,
    Cabinet,
    Compartment,
    Delay,
    DoorDoesNotClose,
    Echo,
    FlippedBit,
    Garbage,
    HalfFrame,
    Happening,
    ImpossibleActError,
    NoReply,
    Refusal,
    ReversedPolarity,
    StuckLatch,
    StuckSensor,
    Unplugged,
    WeakSpring,
    What,
)

__all__ = [
    "AnyFault",
    "BlindSensor",
    "Cabinet",
    "Compartment",
    "Delay",
    "DoorDoesNotClose",
    "Echo",
    "FlippedBit",
    "Garbage",
    "HalfFrame",
    "Happening",
    "ImpossibleActError",
    "KrCu16Boards",
    "Line",
    "NoReply",
    "Refusal",
    "ReversedPolarity",
    "StuckLatch",
    "StuckSensor",
    "Transmission",
    "Unplugged",
    "WeakSpring",
    "What",
]
