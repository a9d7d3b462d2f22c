"""Any bytes to the card: it always answers, and nobody gains a thing without a password."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicepunkt.eid.errors import CryptoError, EidError
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip
from servicepunkt.eid.testing.chip.apdu import Command
from servicepunkt.eid.testing.chip.card import INSTRUCTIONS
from servicepunkt.eid.testing.chip.pin import PinState
from servicepunkt.eid.testing.chip.session import Stage
from servicepunkt.eid.testing.person import PIN
from servicepunkt.eid.testing.terminal import Terminal, chip_key
from servicepunkt.eid.tlv import tlv

NewChip = Callable[..., Chip]
BYTES = st.integers(0, 255)
TAGS = st.sampled_from([0x80, 0x81, 0x83, 0x84, 0x85, 0x91, 0x67, 0x7C, 0x7F4C, 0x7F4E, 0x5F37, 0xA0, 0x06])
OBJECTS = st.lists(st.tuples(TAGS, st.binary(max_size=70)), max_size=4).map(
    lambda found: b"".join(tlv(tag, value) for tag, value in found)
)
DATA = st.binary(max_size=80) | OBJECTS | OBJECTS.map(lambda inner: tlv(0x7C, inner))
PROTOCOLS = st.sampled_from(
    [tlv(0x80, bytes.fromhex(oid)) for oid in ("04007F00070202040202", "04007F00070202030202", "04007F00070202050203")]
)


@st.composite
def known(draw: st.DrawFn) -> Command:
    """A command that the card understands, with nearly any data."""
    ins, parameters = draw(st.sampled_from(sorted(INSTRUCTIONS, key=str)))
    if parameters is None:
        parameters = draw(st.sampled_from([0x0000, 0x040C, 0x020C, 0x9C00, 0x8400]) | st.integers(0, 65_535))
    data = draw(DATA | st.builds(lambda oid, rest: oid + rest, PROTOCOLS, OBJECTS))
    return Command(
        cla=draw(st.sampled_from([0x00, 0x10, 0x80])), ins=ins, p1=parameters >> 8, p2=parameters & 0xFF, data=data,
        expected=draw(st.none() | st.integers(1, 65_536)),
    )  # fmt: skip


MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(commands=st.lists(st.binary(max_size=300) | known().map(Command.encode), max_size=8))
def test_any_commands_of_a_stranger(commands: list[bytes], new_chip: NewChip) -> None:
    chip = new_chip()
    groups = dict(chip.memory.groups)
    for command in commands:
        answered = chip.answer(command)
        assert len(answered) >= 2
        assert not any(value and value in answered for value in groups.values())
    assert chip.session.stage is Stage.OPEN
    assert chip.session.rights == frozenset()
    assert chip.memory.groups == groups
    assert chip.memory.pin.reveal() == PIN.encode()


@MANY
@given(commands=st.lists(known(), max_size=6), password=st.sampled_from([Secrets.PIN, Secrets.CAN]))
def test_any_commands_within_the_channel(
    commands: list[Command], password: Secrets, new_chip: NewChip, authorities: Authorities
) -> None:
    """A password alone reads no group; of the PIN, only who entered it changes it."""
    chip = new_chip()
    groups = dict(chip.memory.groups)
    terminal = Terminal(chip.answer)
    terminal.pace(password, PIN if password is Secrets.PIN else "500540", authorities.terminal().certificate.chat)
    for command in commands:
        try:
            data, _ = terminal.send(command)
        except EidError:
            break
        assert not any(value in data for value in groups.values())
    assert chip.session.stage in (Stage.OPEN, Stage.CHANNEL)
    assert chip.session.rights == frozenset()
    assert chip.memory.groups == groups
    assert chip.memory.pin_state is PinState.THREE_TRIES
    assert chip.memory.pin_active


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@MANY
@given(at=st.integers(0, 5_000), bit=st.integers(0, 7))
def test_no_changed_bit_in_the_security_object_gives_another_key(
    at: int, bit: int, new_chip: NewChip, authorities: Authorities
) -> None:
    security = new_chip().memory.card_security
    changed = bytearray(security)
    changed[at % len(security)] ^= 1 << bit
    try:
        found = chip_key(bytes(changed), authorities.csca.certificate)
    except EidError:
        return
    assert found == chip_key(security)


def test_a_security_object_of_a_stranger(authorities: Authorities, new_chip: NewChip) -> None:
    other = Authorities.new(today=authorities.today)
    with pytest.raises(CryptoError):
        chip_key(other.card().card_security, authorities.csca.certificate)
