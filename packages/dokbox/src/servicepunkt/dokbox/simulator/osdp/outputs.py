"""What an OSDP device switches and shows: outputs, lights, a buzzer, each as a value that time changes by itself.

No clock: a state says what it is at a given time, in the seconds of the caller. Sources: the project's protocol
reference, section 2.4 (output code 5 and its timer), and for the other codes the field descriptions of libosdp's
``osdp.h`` and of the ``osdp`` package. Timers on the line count units of 100 ms, low byte first.

Not in these sources, and how it is settled here: a timer of 0 lasts until the next command; a light whose on time is
0 shows its off colour, one whose off time is 0 its on colour, without blinking.
"""

from enum import IntEnum

import msgspec
from msgspec.structs import replace

UNITS_PER_SECOND = 10
FOREVER = float("inf")
PAST = float("-inf")
OUT_LENGTH = 4
LED_LENGTH = 14
BUZ_LENGTH = 5


class Colour(IntEnum):
    BLACK = 0
    RED = 1
    GREEN = 2
    AMBER = 3
    BLUE = 4
    MAGENTA = 5
    CYAN = 6
    WHITE = 7


class OutputCode(IntEnum):
    NOTHING = 0
    OFF_AT_ONCE = 1
    ON_AT_ONCE = 2
    OFF_AFTER_TIMER = 3
    ON_AFTER_TIMER = 4
    ON_FOR_A_TIME = 5
    OFF_FOR_A_TIME = 6


class TemporaryCode(IntEnum):
    """What an LED command says about the temporary light."""

    NOTHING = 0
    CANCEL = 1
    SET = 2


class PermanentCode(IntEnum):
    """What an LED command says about the permanent light."""

    NOTHING = 0
    SET = 1


class Tone(IntEnum):
    NONE = 0
    OFF = 1
    DEFAULT = 2


class Output(msgspec.Struct, frozen=True):
    """``temporary`` holds before ``until``, ``permanent`` from then on."""

    permanent: bool = False
    temporary: bool = False
    until: float = PAST

    def is_on(self, *, time: float) -> bool:
        return self.temporary if time < self.until else self.permanent

    def switched(self, code: OutputCode, timer: int, *, time: float) -> "Output":
        """The output after a command; ``timer`` in units of 100 ms."""
        match code:
            case OutputCode.NOTHING:
                return self
            case OutputCode.OFF_AT_ONCE | OutputCode.ON_AT_ONCE:
                return Output(permanent=code is OutputCode.ON_AT_ONCE)
            case OutputCode.OFF_AFTER_TIMER | OutputCode.ON_AFTER_TIMER:
                return replace(self, permanent=code is OutputCode.ON_AFTER_TIMER)
            case _:
                return replace(self, temporary=code is OutputCode.ON_FOR_A_TIME, until=_end_of(timer, time))


class Blinking(msgspec.Struct, frozen=True):
    """A light that changes between two colours; times in units of 100 ms, ``since`` in seconds."""

    on_time: int = 0
    off_time: int = 0
    on_colour: Colour = Colour.BLACK
    off_colour: Colour = Colour.BLACK
    since: float = 0.0

    def colour(self, *, time: float) -> Colour:
        if not self.on_time or not self.off_time:
            return self.on_colour if self.on_time else self.off_colour
        # Rounded to a tenth of a unit, so that an edge does not depend on how seconds are represented.
        passed = round((time - self.since) * UNITS_PER_SECOND, 1)
        return self.on_colour if passed % (self.on_time + self.off_time) < self.on_time else self.off_colour


class Led(msgspec.Struct, frozen=True):
    """``temporary`` holds before ``until``, ``permanent`` from then on."""

    permanent: Blinking = Blinking()
    temporary: Blinking = Blinking()
    until: float = PAST

    def colour(self, *, time: float) -> Colour:
        return (self.temporary if time < self.until else self.permanent).colour(time=time)

    def commanded(self, record: bytes, *, time: float) -> "Led":
        """The light after 14 bytes of an LED command. ValueError if a code or a colour does not exist."""
        temporary, permanent = TemporaryCode(record[2]), PermanentCode(record[9])
        led = self
        if permanent is PermanentCode.SET:
            led = replace(led, permanent=_blinking(record[10:14], time))
        if temporary is TemporaryCode.CANCEL:
            led = replace(led, until=PAST)
        if temporary is TemporaryCode.SET:
            end = _end_of(int.from_bytes(record[7:9], "little"), time)
            led = replace(led, temporary=_blinking(record[3:7], time), until=end)
        return led


class Buzzer(msgspec.Struct, frozen=True):
    """``on_time`` and ``off_time`` in units of 100 ms, ``times`` 0 without end; silent while ``on_time`` is 0."""

    on_time: int = 0
    off_time: int = 0
    times: int = 0
    since: float = 0.0

    def sounds(self, *, time: float) -> bool:
        passed = round((time - self.since) * UNITS_PER_SECOND, 1)
        cycle = self.on_time + self.off_time
        if not cycle or (self.times and passed >= self.times * cycle):
            return False
        return passed % cycle < self.on_time

    @staticmethod
    def commanded(record: bytes, *, time: float) -> "Buzzer":
        """The buzzer after 5 bytes of a BUZ command. ValueError for an unknown tone or one without duration."""
        if Tone(record[1]) is not Tone.DEFAULT:
            return Buzzer()
        if not record[2]:
            raise ValueError("a tone lasts at least 100 ms")
        return Buzzer(record[2], record[3], record[4], time)


def _blinking(fields: bytes, time: float) -> Blinking:
    return Blinking(fields[0], fields[1], Colour(fields[2]), Colour(fields[3]), time)


def _end_of(timer: int, time: float) -> float:
    return time + timer / UNITS_PER_SECOND if timer else FOREVER
