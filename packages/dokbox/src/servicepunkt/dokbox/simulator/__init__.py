"""A simulated cabinet behind a simulated serial line, for tests, demonstrations and training.

Simulated OSDP devices (keypad, lights, outputs) are in ``simulator.osdp``, imported by name.

It shares no code with the driver, on purpose: the same mistake in both would hide itself.
``simulator.pages`` (needs litestar) shows it, ``simulator.command`` runs it; both are imported by name.
"""

from servicepunkt.dokbox.simulator.boards import Boards, Transmission
from servicepunkt.dokbox.simulator.cu48 import Cu48Boards
from servicepunkt.dokbox.simulator.hand import Hand
from servicepunkt.dokbox.simulator.kinds import DEFAULT_KIND, KINDS, Kind
from servicepunkt.dokbox.simulator.krcu16 import KrCu16Boards
from servicepunkt.dokbox.simulator.line import Line
from servicepunkt.dokbox.simulator.modbus import ModbusCu48, ModbusRelays
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
from servicepunkt.dokbox.simulator.xor8a import Xor8aBoards

__all__ = [
    "DEFAULT_KIND",
    "KINDS",
    "AnyFault",
    "BlindSensor",
    "Boards",
    "Cabinet",
    "Compartment",
    "Cu48Boards",
    "Delay",
    "DoorDoesNotClose",
    "Echo",
    "FlippedBit",
    "Garbage",
    "HalfFrame",
    "Hand",
    "Happening",
    "ImpossibleActError",
    "Kind",
    "KrCu16Boards",
    "Line",
    "ModbusCu48",
    "ModbusRelays",
    "NoReply",
    "Refusal",
    "ReversedPolarity",
    "StuckLatch",
    "StuckSensor",
    "Transmission",
    "Unplugged",
    "WeakSpring",
    "What",
    "Xor8aBoards",
]
