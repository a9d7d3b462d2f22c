"""One OSDP device: keypad, lights, buzzer, inputs and outputs behind one address, frame in, frame out.

No I/O, no clock; randomness comes with each frame. Sources: the project's protocol reference, section 2.4; for record
layouts and codes libosdp's ``osdp.h``; for keys the comments of OSDP.Net (digits are ASCII, ``*`` is 7F, ``#`` is 0D,
function keys are A to H).

The order in which a frame is judged:

    check wrong                                     NAK 01, nothing else happens
    sequence 0                                      everything starts over, a secure session ends
    sequence of the last command                    the last reply again, nothing is done twice
    sequence not the next one (1, 2, 3, 1, ...)     NAK 04
    security block                                  NAK 05 or 06, see ``Guard.unwrap``
    command and data                                NAK 02, 03 or 09, within the session if there is one

Not in the sources, and how it is settled here:
- NAK 01, 04, 05 and 06 are sent in clear, since the device does not know then whom it answers. A wrong MAC and a
  command in clear end the session; a wrong check and a wrong sequence do not.
- A panel that asks for the default key of a device that does not accept it is answered with the device's own key,
  and told so (as libosdp does). One without own key that is in install mode answers with the default key.
- A panel's wrong cryptogram is answered with NAK 06. KEYSET takes effect and ends session and install mode once it is
  acknowledged (as libosdp does); it must come encrypted.
- COMSET is refused with NAK 09. Output and light numbers that do not exist are refused with NAK 09, and the whole
  command with them. OUT is answered with ACK; OSTATR follows at a poll whenever an output has changed.
- Events wait for a panel as long as it takes, also through a loss of the channel; those past ``MOST_EVENTS`` are lost.
- A data block that is encrypted but empty, not whole or not padded is refused with NAK 02.
"""

import threading
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from random import Random

import msgspec

from servicepunkt.dokbox.simulator.osdp.channel import BLOCK, KEY_LENGTH, NONCE_LENGTH
from servicepunkt.dokbox.simulator.osdp.faults import Downgrade, Replay, UseFault
from servicepunkt.dokbox.simulator.osdp.frames import LONGEST, SEQUENCE_BITS, Command, Frame, NakReason, Reply
from servicepunkt.dokbox.simulator.osdp.outputs import (
    BUZ_LENGTH,
    LED_LENGTH,
    OUT_LENGTH,
    PAST,
    Buzzer,
    Colour,
    Led,
    Output,
    OutputCode,
)
from servicepunkt.dokbox.simulator.osdp.security import (
    HANDSHAKE,
    KEYSET_SCBK,
    SECURED,
    Guard,
    RefusedError,
    in_clear,
    seal,
)

HIGHEST_ADDRESS = 126
SILENCE = 8.0
"""After so many seconds without a command the secure session is gone."""
MOST_EVENTS = 64
MOST_KEYS = 64
"""Keys in one report."""
READER = 0
"""The number of the only reader, which has the keypad, the lights and the buzzer."""
KEYS = {**{digit: ord(digit) for digit in "0123456789ABCDEFGH"}, "*": 0x7F, "#": 0x0D}
DATA_LENGTHS = {
    Command.POLL: 0,
    Command.ID: 1,
    Command.CAP: 1,
    Command.LSTAT: 0,
    Command.ISTAT: 0,
    Command.OSTAT: 0,
    Command.COMSET: 5,
    Command.KEYSET: len(KEYSET_SCBK) + KEY_LENGTH,
    Command.CHLNG: NONCE_LENGTH,
    Command.SCRYPT: BLOCK,
}
RECORD_LENGTHS = {Command.OUT: OUT_LENGTH, Command.LED: LED_LENGTH, Command.BUZ: BUZ_LENGTH}
"""Commands of one or more records."""


class DeviceWhat(StrEnum):
    """What can happen to a device."""

    KEYS_PRESSED = "keys_pressed"
    INPUT_CHANGED = "input_changed"
    LOCAL_STATUS_CHANGED = "local_status_changed"
    OUTPUT_CHANGED = "output_changed"
    LED_SET = "led_set"
    BUZZER_SET = "buzzer_set"
    EVENT_LOST = "event_lost"
    CHANNEL_UP = "channel_up"
    CHANNEL_LOST = "channel_lost"
    KEY_SET = "key_set"
    REPEATED = "repeated"
    REFUSED = "refused"


class DeviceHappening(msgspec.Struct, frozen=True):
    """One entry of a device's history, without keys and digits.

    ``number`` is that of the input, output or light; ``nak`` says why a command was refused.
    """

    time: float
    what: DeviceWhat
    number: int | None = None
    nak: NakReason | None = None


class Identity(msgspec.Struct, frozen=True):
    """What a device says about itself: vendor (3 bytes), model, version, serial number, firmware (3 bytes)."""

    vendor: bytes = b"SIM"
    model: int = 1
    version: int = 1
    serial: int = 1
    firmware: bytes = b"\x01\x00\x00"

    @property
    def report(self) -> bytes:
        """The 12 data bytes of PDID."""
        return self.vendor + bytes([self.model, self.version]) + self.serial.to_bytes(4, "little") + self.firmware

    @property
    def unique_id(self) -> bytes:
        """The eight bytes of cUID in a handshake: the first of the report."""
        return self.report[:8]


class OsdpDevice:
    """A device at ``address`` (0 to 126). Inputs, outputs and lights are numbered from 0.

    ``key`` is its own base key (SCBK, 16 bytes). ``accepts_default_key`` is install mode. A device that
    ``requires_secure_channel`` refuses everything else but ID and CAP outside of one; one that does not
    ``supports_secure_channel`` knows none. ``reversed_inputs`` report 0 when on. ValueError for what cannot be.
    Acts may come from another thread than frames. Watchers are called after every change, without the lock.
    """

    def __init__(
        self,
        address: int,
        *,
        key: bytes | None = None,
        accepts_default_key: bool = False,
        requires_secure_channel: bool = False,
        supports_secure_channel: bool = True,
        identity: Identity = Identity(),  # noqa: B008 - frozen
        inputs: int = 4,
        outputs: int = 4,
        leds: int = 2,
        reversed_inputs: frozenset[int] = frozenset(),
    ) -> None:
        if not 0 <= address <= HIGHEST_ADDRESS:
            raise ValueError(f"an address is a number from 0 to {HIGHEST_ADDRESS}")
        if max(inputs, outputs, leds) > 255:
            raise ValueError("a device has at most 255 of each")
        self.address = address
        self.identity = identity
        self._guard = Guard(
            key,
            install_mode=accepts_default_key,
            required=requires_secure_channel,
            supported=supports_secure_channel,
        )
        self._inputs = [False] * inputs
        self._reversed_inputs = reversed_inputs
        self._outputs = [Output() for _ in range(outputs)]
        self._leds = [Led() for _ in range(leds)]
        self._buzzer = Buzzer()
        self._tampered = False
        self._power_failed = False
        self._events: deque[bytes] = deque()
        self._history: list[DeviceHappening] = []
        self._watchers: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self._sequence: int | None = None
        self._reply = b""
        self._sent = b""
        self._heard = float("-inf")

    @property
    def key(self) -> bytes | None:
        """The base key as KEYSET may have left it."""
        return self._guard.key

    @property
    def accepts_default_key(self) -> bool:
        """Whether the device is still in install mode."""
        return self._guard.install_mode

    @property
    def inputs(self) -> tuple[bool, ...]:
        return tuple(self._inputs)

    @property
    def history(self) -> tuple[DeviceHappening, ...]:
        with self._lock:
            return tuple(self._history)

    def channel_is_up(self, *, time: float) -> bool:
        """Whether a secure session is alive."""
        return self._guard.session is not None and time - self._heard <= SILENCE

    def outputs(self, *, time: float) -> tuple[bool, ...]:
        """Which outputs are on."""
        return tuple(output.is_on(time=time) for output in self._outputs)

    def led(self, number: int, *, time: float) -> Colour:
        """What a light shows at this moment, in the middle of a blink too."""
        return self._leds[number].colour(time=time)

    def buzzer_sounds(self, *, time: float) -> bool:
        return self._buzzer.sounds(time=time)

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call ``watcher`` after every change, until the function that comes back is called."""
        with self._lock:
            self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def press(self, keys: str, *, time: float) -> None:
        """Press keys (digits, ``*``, ``#``, A to H) so fast that one report holds them all."""
        if not 0 < len(keys) <= MOST_KEYS or not set(keys) <= set(KEYS):
            raise ValueError(f"a report has 1 to {MOST_KEYS} keys of {''.join(KEYS)}")
        with self._lock:
            self._record(DeviceWhat.KEYS_PRESSED, time)
            self._report(bytes([Reply.KEYPAD, READER, len(keys), *(KEYS[key] for key in keys)]), time)
        self._announce()

    def set_input(self, number: int, on: bool, *, time: float) -> None:
        """Close or open the contact of an input."""
        if number not in range(len(self._inputs)):
            raise ValueError(f"there is no input {number}")
        with self._lock:
            if self._inputs[number] == on:
                return
            self._inputs[number] = on
            self._record(DeviceWhat.INPUT_CHANGED, time, number)
            self._report(self._input_status(), time)
        self._announce()

    def set_local_status(self, *, tampered: bool, power_failed: bool, time: float) -> None:
        """Open or close the housing, take power away or give it back."""
        with self._lock:
            if (tampered, power_failed) == (self._tampered, self._power_failed):
                return
            self._tampered, self._power_failed = tampered, power_failed
            self._record(DeviceWhat.LOCAL_STATUS_CHANGED, time)
            self._report(self._local_status(), time)
        self._announce()

    def answer(self, frame: Frame, *, time: float, random: Random, use_fault: UseFault) -> bytes:
        """Judge a frame to this address, do what it says and give the reply as attacks leave it."""
        with self._lock:
            known = len(self._history)
            self._pass_time(time)
            reply = self._judge(frame, time, random, use_fault)
            if self._sent and use_fault(Replay):
                reply = self._sent
            self._sent = reply
        if len(self._history) > known:
            self._announce()
        return reply

    def _judge(self, frame: Frame, time: float, random: Random, use_fault: UseFault) -> bytes:
        if not frame.intact:
            return in_clear(frame, self._nak(NakReason.BAD_CHECK, time))
        if frame.sequence and frame.sequence == self._sequence and self._reply:
            self._heard = time
            self._record(DeviceWhat.REPEATED, time)
            return self._reply
        if frame.sequence and frame.sequence != _next_sequence(self._sequence):
            return in_clear(frame, self._nak(NakReason.UNEXPECTED_SEQUENCE, time))
        if not frame.sequence:
            self._end_session(time)
        self._heard = time
        self._sequence = frame.sequence
        self._reply, sent = self._carry_out(frame, time, random, use_fault)
        return sent

    def _carry_out(self, frame: Frame, time: float, random: Random, use_fault: UseFault) -> tuple[bytes, bytes]:
        """The reply to a command that is new, and what an attack makes of it."""
        try:
            payload = self._guard.unwrap(frame)
        except RefusedError as refused:
            if refused.reason is NakReason.SECURITY_REQUIRED:
                self._end_session(time)
            reply = in_clear(frame, self._nak(refused.reason, time))
            return reply, reply
        # Taken before the command is carried out: the answer to KEYSET still belongs to the session that it ends.
        session = self._guard.session if frame.security_type in SECURED else None
        security = b""
        try:
            command, data = _command_of(payload)
            if command in HANDSHAKE.values():
                security, answer = self._shake_hands(command, frame, data, time, random, use_fault)
            else:
                answer = self._obey(command, data, time, use_fault)
        except RefusedError as refused:
            answer = self._nak(refused.reason, time)
        if session:
            return seal(frame, answer, session, use_fault)
        reply = in_clear(frame, answer, security=security)
        return reply, reply

    def _shake_hands(
        self, command: Command, frame: Frame, data: bytes, time: float, random: Random, use_fault: UseFault
    ) -> tuple[bytes, bytes]:
        """The security block and the payload of the answer to CHLNG or SCRYPT."""
        if command is Command.CHLNG:
            self._end_session(time)
            security, proof = self._guard.challenge(frame, data, random, use_fault)
            return security, bytes([Reply.CCRYPT]) + self.identity.unique_id + proof
        security, first_mac = self._guard.prove(data)
        self._record(DeviceWhat.CHANNEL_UP, time)
        return security, bytes([Reply.RMAC_I]) + first_mac

    def _obey(self, command: Command, data: bytes, time: float, use_fault: UseFault) -> bytes:
        """Do what a command says; the payload of the reply."""
        match command:
            case Command.POLL:
                return self._events.popleft() if self._events else bytes([Reply.ACK])
            case Command.ID:
                return bytes([Reply.PDID]) + self.identity.report
            case Command.CAP:
                return self._capabilities(secure=self._guard.supported and not use_fault(Downgrade))
            case Command.LSTAT:
                return self._local_status()
            case Command.ISTAT:
                return self._input_status()
            case Command.OSTAT:
                return self._output_status(time)
            case Command.KEYSET:
                self._set_key(data, time)
            case Command.OUT | Command.LED | Command.BUZ:
                self._switch(command, data, time)
            case _:
                raise RefusedError(NakReason.IMPOSSIBLE)
        return bytes([Reply.ACK])

    def _capabilities(self, *, secure: bool) -> bytes:
        """Function, compliance and number of items, three bytes each."""
        return bytes([Reply.PDCAP,
            1, 1, len(self._inputs),
            2, 2, len(self._outputs),
            4, 4, len(self._leds),
            5, 2, 1,
            8, 1, 0,
            9, secure, 0,
            10, *LONGEST.to_bytes(2, "little"),
            13, 0, 1,
            16, 2, 0,
        ])  # fmt: skip

    def _local_status(self) -> bytes:
        return bytes([Reply.LSTATR, self._tampered, self._power_failed])

    def _input_status(self) -> bytes:
        return bytes([Reply.ISTATR, *(on != (n in self._reversed_inputs) for n, on in enumerate(self._inputs))])

    def _output_status(self, time: float) -> bytes:
        return bytes([Reply.OSTATR, *self.outputs(time=time)])

    def _set_key(self, data: bytes, time: float) -> None:
        self._guard.set_key(data)
        self._record(DeviceWhat.KEY_SET, time)

    def _switch(self, command: Command, data: bytes, time: float) -> None:
        """Carry out every record of OUT, LED or BUZ, or none of them."""
        length = RECORD_LENGTHS[command]
        records = [data[at : at + length] for at in range(0, len(data), length)]
        outputs, leds, buzzer = list(self._outputs), list(self._leds), self._buzzer
        try:
            for record in records:
                if command is Command.OUT:
                    code, timer = OutputCode(record[1]), int.from_bytes(record[2:], "little")
                    outputs[record[0]] = outputs[record[0]].switched(code, timer, time=time)
                elif record[0] != READER:
                    raise RefusedError(NakReason.IMPOSSIBLE)
                elif command is Command.LED:
                    leds[record[1]] = leds[record[1]].commanded(record, time=time)
                else:
                    buzzer = Buzzer.commanded(record, time=time)
        except (IndexError, ValueError):
            raise RefusedError(NakReason.IMPOSSIBLE) from None
        before = self.outputs(time=time)
        self._outputs, self._leds, self._buzzer = outputs, leds, buzzer
        self._notice_outputs(before, time)
        for record in records:
            if command is Command.LED:
                self._record(DeviceWhat.LED_SET, time, record[1])
            if command is Command.BUZ:
                self._record(DeviceWhat.BUZZER_SET, time)

    def _pass_time(self, time: float) -> None:
        """Let happen what happens by itself: a session dies of silence, an output falls back."""
        if time - self._heard > SILENCE:
            self._end_session(time)
            self._reply = b""
        before = tuple(output.temporary if output.until != PAST else output.permanent for output in self._outputs)
        self._outputs = [
            Output(permanent=output.permanent) if output.until <= time else output for output in self._outputs
        ]
        self._notice_outputs(before, time)

    def _notice_outputs(self, before: tuple[bool, ...], time: float) -> None:
        after = self.outputs(time=time)
        changed = [number for number, on in enumerate(after) if on != before[number]]
        for number in changed:
            self._record(DeviceWhat.OUTPUT_CHANGED, time, number)
        if changed:
            self._report(self._output_status(time), time)

    def _end_session(self, time: float) -> None:
        if self._guard.session:
            self._record(DeviceWhat.CHANNEL_LOST, time)
        self._guard.end()

    def _nak(self, reason: NakReason, time: float) -> bytes:
        self._record(DeviceWhat.REFUSED, time, nak=reason)
        return bytes([Reply.NAK, reason])

    def _report(self, event: bytes, time: float) -> None:
        if len(self._events) < MOST_EVENTS:
            self._events.append(event)
        else:
            self._record(DeviceWhat.EVENT_LOST, time)

    def _record(
        self, what: DeviceWhat, time: float, number: int | None = None, *, nak: NakReason | None = None
    ) -> None:
        self._history.append(DeviceHappening(time, what, number, nak))

    def _announce(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()


def _next_sequence(sequence: int | None) -> int:
    """0 begins, then 1, 2, 3, 1, 2, 3, ..."""
    return 0 if sequence is None else sequence % SEQUENCE_BITS + 1


def _command_of(payload: bytes) -> tuple[Command, bytes]:
    """Command and data; refused with 02 if the length is wrong, with 03 if there is no such command."""
    if not payload:
        raise RefusedError(NakReason.BAD_LENGTH)
    try:
        command, data = Command(payload[0]), payload[1:]
    except ValueError:
        raise RefusedError(NakReason.UNKNOWN_COMMAND) from None
    if command in RECORD_LENGTHS:
        right = bool(data) and len(data) % RECORD_LENGTHS[command] == 0
    else:
        right = len(data) == DATA_LENGTHS[command]
    if not right:
        raise RefusedError(NakReason.BAD_LENGTH)
    return command, data
