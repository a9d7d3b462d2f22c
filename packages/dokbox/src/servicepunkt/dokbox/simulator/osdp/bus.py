"""The OSDP devices of one bus as bytes in, bytes out, faults of the line included."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from msgspec.structs import replace

from servicepunkt.dokbox.simulator.boards import Transmission, with_faults
from servicepunkt.dokbox.simulator.model import (
    Echo,
    Happening,
    Unplugged,
    What,
)
from servicepunkt.dokbox.simulator.osdp.device import OsdpDevice
from servicepunkt.dokbox.simulator.osdp.faults import AnyOsdpFault, Attack, Counted, F
from servicepunkt.dokbox.simulator.osdp.frames import take_frame

ABANDON_AFTER = 0.1
"""Seconds of silence after which half a frame is given up. The standard has 20 ms, but a pty's bytes come later."""


class OsdpDevices:
    """Devices with different addresses on one bus; ValueError if two have the same.

    ``random`` gives the nonces of the handshake and decides where a flipped bit and garbage fall. Frames to other
    addresses, replies and the broadcast address 7F are not answered. Watchers are called after every change of the
    bus or of a device, without a lock.
    """

    def __init__(self, devices: Sequence[OsdpDevice], random: Random) -> None:
        self.devices = {device.address: device for device in devices}
        if len(self.devices) != len(devices):
            raise ValueError("two devices of one bus have the same address")
        self._random = random
        self._lock = threading.RLock()
        self._received = bytearray()
        self._received_at = float("-inf")
        self._faults: tuple[AnyOsdpFault, ...] = ()
        self._history: list[Happening] = []
        self._watchers: list[Callable[[], None]] = []

    @property
    def faults(self) -> tuple[AnyOsdpFault, ...]:
        return self._faults

    @property
    def history(self) -> tuple[Happening, ...]:
        """What happened to the bus; what happened to a device is in its own history."""
        with self._lock:
            return tuple(self._history)

    @property
    def plugged(self) -> bool:
        """Whether the bus is connected."""
        return Unplugged() not in self._faults

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call ``watcher`` after every change, until the function that comes back is called."""
        with self._lock:
            self._watchers.append(watcher)
        ends = [lambda: self._watchers.remove(watcher), *(device.watch(watcher) for device in self.devices.values())]

        def end() -> None:
            for one in ends:
                one()

        return end

    def set_faults(self, *faults: AnyOsdpFault, time: float) -> None:
        """Let exactly these faults be present from now on. ValueError for an attack on nobody."""
        for fault in faults:
            if isinstance(fault, Attack) and fault.address not in (None, *self.devices):
                raise ValueError(f"there is no device {fault.address}")
        self._become(faults, What.FAULTS_SET, time)

    def unplug(self, *, time: float) -> None:
        """Pull the plug of the bus."""
        if self.plugged:
            self._become((*self._faults, Unplugged()), What.UNPLUGGED, time)

    def plug(self, *, time: float) -> None:
        """Put the plug of the bus back in."""
        if not self.plugged:
            self._become(tuple(fault for fault in self._faults if fault != Unplugged()), What.PLUGGED, time)

    def receive(self, data: bytes, *, time: float) -> list[Transmission]:
        """Take the next bytes of the line, in pieces of any size; do what they say and give the answer."""
        if not self.plugged:
            self._received.clear()
            return []
        if time - self._received_at > ABANDON_AFTER:
            self._received.clear()
        self._received_at = time
        before = self._faults
        sent = [Transmission(data)] if self._use_fault(None, Echo) else []
        self._received += data
        while frame := take_frame(self._received):
            if device := self.devices.get(frame.address):
                use_fault = partial(self._use_fault, device.address)
                reply = device.answer(frame, time=time, random=self._random, use_fault=use_fault)
                sent += with_faults(Transmission(reply), partial(self._use_fault, None), self._random)
        if self._faults != before:
            self._announce()
        return sent

    def _use_fault(self, address: int | None, kind: type[F], /) -> F | None:
        """The fault of this kind that concerns the device; one that is good for some times loses one of them."""
        with self._lock:
            for at, fault in enumerate(self._faults):
                if isinstance(fault, kind) and getattr(fault, "address", None) in (None, address):
                    if isinstance(fault, Counted):
                        spent = () if fault.times == 1 else (replace(fault, times=fault.times - 1),)
                        self._faults = (*self._faults[:at], *spent, *self._faults[at + 1 :])
                    return fault
        return None

    def _become(self, faults: tuple[AnyOsdpFault, ...], what: What, time: float) -> None:
        with self._lock:
            self._faults = faults
            self._history.append(Happening(time, what))
        self._announce()

    def _announce(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()
