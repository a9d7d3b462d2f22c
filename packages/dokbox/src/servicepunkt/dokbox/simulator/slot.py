"""A simulated slot for old documents behind a Unix socket, with its faults: a chip that cannot be read, a jam."""

import socketserver
import threading
from pathlib import Path

import msgspec


class SlotState(msgspec.Struct, frozen=True):
    """What lies in the slot (the number in its chip, None for nothing), what was kept, and what is wrong."""

    document: str | None = None
    kept: tuple[str, ...] = ()
    unreadable: bool = False
    jams: bool = False


class SimulatedSlot:
    """The slot; ``put`` and ``faults`` are the hands of people, the rest is what its line says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = SlotState()

    @property
    def state(self) -> SlotState:
        return self._state

    def put(self, number: str) -> None:
        """Put a document in. ValueError if there is one already."""
        with self._lock:
            if self._state.document is not None:
                raise ValueError("there is a document in the slot already")
            self._state = msgspec.structs.replace(self._state, document=number)

    def take(self) -> str | None:
        """Take out what lies in the opening."""
        with self._lock:
            document = self._state.document
            self._state = msgspec.structs.replace(self._state, document=None)
        return document

    def set_faults(self, *, unreadable: bool = False, jams: bool = False) -> None:
        with self._lock:
            self._state = msgspec.structs.replace(self._state, unreadable=unreadable, jams=jams)

    def answer(self, question: str) -> str:
        """The line that answers a line."""
        with self._lock:
            state = self._state
            match question:
                case "read" if state.document is None:
                    return "empty"
                case "read":
                    return "unreadable" if state.unreadable else f"number {state.document}"
                case "keep" if state.document is None or state.jams:
                    return "jammed"
                case "keep":
                    self._state = msgspec.structs.replace(state, document=None, kept=(*state.kept, state.document))
                    return "kept"
                case "give":
                    return "given"
                case _:
                    return "what"


class SlotServer:
    """Serves a slot at ``path`` while it is entered."""

    def __init__(self, slot: SimulatedSlot, path: Path) -> None:
        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline(200).decode("ascii", "replace").strip()
                self.wfile.write(f"{slot.answer(line)}\n".encode("ascii"))

        path.unlink(missing_ok=True)
        self._path = path
        self._server = socketserver.ThreadingUnixStreamServer(str(path), Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="slot")

    def __enter__(self) -> "SlotServer":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._path.unlink(missing_ok=True)
