"""A hand that closes doors, for who tries a cabinet alone."""

import threading
import time

from servicepunkt.dokbox.simulator.model import Cabinet, ImpossibleActError


class Hand:
    """Closes every door of ``cabinet`` so many ``seconds`` after it opened, until it is stopped."""

    def __init__(self, cabinet: Cabinet, *, seconds: float) -> None:
        self._cabinet = cabinet
        self._seconds = seconds
        self._open_since: dict[int, float] = {}
        self._moved = threading.Event()
        self._stopping = False
        self._unwatch = cabinet.watch(self._moved.set)
        self._thread = threading.Thread(target=self._work, name="cabinet-hand", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._moved.set()
        self._thread.join()
        self._unwatch()

    def _work(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            doors = {each.number for each in self._cabinet.compartments if not each.closed}
            self._open_since = {number: self._open_since.get(number, now) for number in doors}
            due = [number for number, since in self._open_since.items() if now - since >= self._seconds]
            for number in due:
                self._close(number, now)
            waiting = [since + self._seconds - now for number, since in self._open_since.items() if number not in due]
            self._moved.wait(min(waiting, default=None))
            self._moved.clear()

    def _close(self, number: int, now: float) -> None:
        del self._open_since[number]
        try:
            self._cabinet.close(number, time=now)
        except ImpossibleActError:  # somebody else was quicker
            return
