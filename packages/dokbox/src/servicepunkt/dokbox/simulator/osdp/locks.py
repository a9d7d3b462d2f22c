"""A cabinet behind OSDP devices: outputs fire its locks, inputs feel its latches and items."""

from random import Random

from servicepunkt.dokbox.simulator.boards import Transmission
from servicepunkt.dokbox.simulator.model import AnyFault, Cabinet
from servicepunkt.dokbox.simulator.osdp.bus import OsdpDevices
from servicepunkt.dokbox.simulator.osdp.device import OsdpDevice

LOCKS_PER_DEVICE = 8


class OsdpLocks:
    """As many devices as the cabinet needs, with the addresses 0, 1, ... and one ``key``.

    Output n fires lock n, counted from 0; input n is the contact of its latch, on for closed, input
    ``LOCKS_PER_DEVICE`` + n its item sensor. The faults of the cabinet's bus are felt here too.
    """

    def __init__(self, cabinet: Cabinet, random: Random, *, key: bytes) -> None:
        self.cabinet = cabinet
        count = -(-len(cabinet.compartments) // LOCKS_PER_DEVICE)
        self.bus = OsdpDevices(
            [
                OsdpDevice(
                    address,
                    key=key,
                    requires_secure_channel=True,
                    inputs=2 * LOCKS_PER_DEVICE,
                    outputs=LOCKS_PER_DEVICE,
                )
                for address in range(count)
            ],
            random,
        )
        self._faults: tuple[AnyFault, ...] = ()
        self._on: set[int] = set()

    def receive(self, data: bytes, *, time: float) -> list[Transmission]:
        """Take the next bytes of the line, in pieces of any size; do what they say and give the answer."""
        if self._faults != self.cabinet.faults:
            self._faults = self.cabinet.faults
            self.bus.set_faults(*self._faults, time=time)  # type: ignore[arg-type]
        self._feel(time)
        sent = self.bus.receive(data, time=time)
        self._fire(time)
        return sent

    def pass_time(self, *, time: float) -> float | None:
        """Nothing happens without bytes: a lock feels that its current begins, not that it ends."""
        self._fire(time)
        return None

    def _feel(self, time: float) -> None:
        for compartment in self.cabinet.compartments:
            address, lock = divmod(compartment.number - 1, LOCKS_PER_DEVICE)
            device = self.bus.devices[address]
            device.set_input(lock, self.cabinet.latch_reads_closed(compartment.number), time=time)
            item = self.cabinet.sensor_reads_item(compartment.number)
            device.set_input(LOCKS_PER_DEVICE + lock, item, time=time)

    def _fire(self, time: float) -> None:
        on = {
            address * LOCKS_PER_DEVICE + lock + 1
            for address, device in self.bus.devices.items()
            for lock, is_on in enumerate(device.outputs(time=time))
            if is_on
        }
        wired = len(self.cabinet.compartments)
        for number in sorted(on - self._on):
            if number <= wired:
                self.cabinet.pulse(number, time=time)
        self._on = on
