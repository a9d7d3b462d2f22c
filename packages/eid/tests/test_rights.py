"""The bits of a CHAT, as TR-03110-4 numbers them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.rights import Chat, Right, Role, reading

OF_ALL = frozenset(Right)


def test_reading_goes_upwards_and_writing_downwards() -> None:
    assert [Right[f"READ_{number}"] for number in (1, 4, 17, 22)] == [8, 11, 24, 29]
    assert [Right[f"WRITE_{number}"] for number in (17, 18, 22)] == [37, 36, 32]


def test_a_template_of_a_certificate() -> None:
    """Given names, family names, birthday, address and age: what a shop of the town asks for."""
    chat = Chat.of([*reading(4, 5, 8, 17), Right.AGE_VERIFICATION])
    assert chat.encode().hex() == "7f4c12060904007f000703010202530500" + "01009801"
    assert list(chat.groups()) == [4, 5, 8, 17]
    assert Chat.decode(chat.encode()) == chat


@given(st.sets(st.sampled_from(Right)), st.sampled_from(Role))
def test_what_is_written_is_read(rights: set[Right], role: Role) -> None:
    chat = Chat(frozenset(rights), role)
    assert Chat.decode(chat.encode()) == chat


@given(st.sets(st.sampled_from(Right)), st.sets(st.sampled_from(Right)))
def test_a_chain_allows_what_all_of_it_allow(one: set[Right], other: set[Right]) -> None:
    assert (Chat.of(one) & Chat(frozenset(other), Role.DV_OFFICIAL)) == Chat.of(one & other)
    assert Chat(OF_ALL, Role.CVCA) & Chat(OF_ALL, Role.DV_OTHER) == Chat(OF_ALL, Role.DV_OTHER)


@pytest.mark.parametrize(
    "broken",
    [
        "7f4c12060904007f0007030102015305" + "0000000000",  # an inspection system
        "7f4c11060904007f0007030102025304" + "00000000",
        "7f4c12060904007f0007030102025305" + "0080000000",  # bit 31 is kept free
        "530500000000",
        "",
    ],
)
def test_other_templates_are_refused(broken: str) -> None:
    with pytest.raises(MalformedError):
        Chat.decode(bytes.fromhex(broken))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert Chat.decode(data).encode() == data
    except MalformedError:
        pass
    except AssertionError:
        pytest.fail("two ways to write one template")


def test_there_are_twenty_two_groups() -> None:
    with pytest.raises(ValueError, match="23"):
        reading(4, 23)
