"""What can be wrong with OSDP devices or done to them, as data: attacks on the secure channel, and faults of the line.

The attacks are those of the project's protocol reference, section 2.4 ("Badge of Shame"), and what somebody on the
wire can do besides. What a cabinet's line suffers, this line suffers too.
"""

from typing import Protocol, TypeVar

from servicepunkt.dokbox.simulator.model import (
    Count,
    Delay,
    Echo,
    Fault,
    FlippedBit,
    Garbage,
    HalfFrame,
    NoReply,
    Unplugged,
)


class Attack(Fault, frozen=True):
    """Something done to the device of one address, or to every device."""

    address: int | None = None


class Downgrade(Attack, frozen=True, tag="downgrade"):
    """The capability report says that there is no secure channel; the device would have one."""


class DefaultKeyOnly(Attack, frozen=True, tag="default_key_only"):
    """A challenge is answered with the key that everybody knows, whatever key was asked for."""


class WrongCryptogram(Attack, frozen=True, tag="wrong_cryptogram"):
    """A challenge is answered with random bytes, as a device does that has another key."""


class ClearReply(Attack, frozen=True, tag="clear_reply"):
    """The next so many replies of a secure session come in clear, with a right check."""

    times: Count = 1


class BadMac(Attack, frozen=True, tag="bad_mac"):
    """The next so many replies of a secure session carry a wrong MAC under a right check."""

    times: Count = 1


class Replay(Attack, frozen=True, tag="replay"):
    """Instead of each of the next so many replies, the one before it comes again, byte for byte."""

    times: Count = 1


AnyOsdpFault = (
    Downgrade | DefaultKeyOnly | WrongCryptogram | ClearReply | BadMac | Replay
    | Echo | Unplugged | Delay | NoReply | FlippedBit | HalfFrame | Garbage
)  # fmt: skip
Counted = ClearReply | BadMac | Replay | NoReply | FlippedBit | HalfFrame | Garbage
"""Those that are good for some times."""
F = TypeVar("F", bound=AnyOsdpFault)


class UseFault(Protocol):
    """The fault of this kind that a device suffers now, if any; one that is good for some times loses one of them."""

    def __call__(self, kind: type[F], /) -> F | None: ...
