"""Simulated OSDP 2.2 devices: keypad, lights, buzzer, inputs and outputs, with the secure channel and its attacks.

``OsdpDevices`` is the bus, ``OsdpDevice`` what hangs on it. What the reference leaves open and how it is settled is
said in ``device``; what time does to lights and outputs in ``outputs``.
"""

from servicepunkt.dokbox.simulator.osdp.bus import OsdpDevices
from servicepunkt.dokbox.simulator.osdp.channel import DEFAULT_KEY
from servicepunkt.dokbox.simulator.osdp.device import DeviceHappening, DeviceWhat, Identity, OsdpDevice
from servicepunkt.dokbox.simulator.osdp.faults import (
    AnyOsdpFault,
    BadMac,
    ClearReply,
    DefaultKeyOnly,
    Downgrade,
    Replay,
    WrongCryptogram,
)
from servicepunkt.dokbox.simulator.osdp.frames import NakReason
from servicepunkt.dokbox.simulator.osdp.locks import OsdpLocks
from servicepunkt.dokbox.simulator.osdp.outputs import Colour

__all__ = [
    "DEFAULT_KEY",
    "AnyOsdpFault",
    "BadMac",
    "ClearReply",
    "Colour",
    "DefaultKeyOnly",
    "DeviceHappening",
    "DeviceWhat",
    "Downgrade",
    "Identity",
    "NakReason",
    "OsdpDevice",
    "OsdpDevices",
    "OsdpLocks",
    "Replay",
    "WrongCryptogram",
]
