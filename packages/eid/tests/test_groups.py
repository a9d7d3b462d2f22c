"""Data groups: what is written is read again, and what no card may make us believe."""

from __future__ import annotations

import zlib
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.groups import attributes_of, groups_of
from servicepunkt.eid.model import Attributes, PartialDate, Place
from servicepunkt.eid.tlv import tlv

ERIKA = Attributes(
    document_type="ID",
    issuing_country="D",
    valid_until=date(2031, 10, 31),
    given_names="ERIKA",
    family_names="MUSTERMANN",
    birth_name="GABLER",
    doctoral_degree="DR.",
    artistic_name="",
    date_of_birth=PartialDate(1964, 8, 12),
    place_of_birth=Place(free="BERLIN"),
    nationality="D",
    address=Place(street="HEIDESTRASSE 17", city="KÖLN", country="D", zip_code="51147"),
    community_id="02760503150000",
    sex="F",
)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f"), min_size=1, max_size=50)


def test_what_is_written_is_read() -> None:
    groups = groups_of(ERIKA)
    assert sorted(groups) == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 17, 18]
    assert groups[8].hex() == "680a" + "1208" + b"19640812".hex()
    assert groups[18].hex() == "7209" + "0407" + "02760503150000"
    assert attributes_of(groups) == ERIKA


@given(st.builds(Attributes, given_names=TEXTS, family_names=TEXTS, address=st.builds(Place, free=TEXTS)))
def test_any_name_is_read_as_it_was_written(person: Attributes) -> None:
    assert attributes_of(groups_of(person)) == person


def test_a_permit_may_be_compressed_and_two_stand_one_after_the_other() -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"Niederlassungserlaubnis") + packer.flush()
    found = attributes_of({
        19: tlv(0x73, tlv(0xA1, tlv(0x0C, b"Nebenbestimmung"))),
        20: tlv(0x74, tlv(0xA2, tlv(0x04, packed))),
    })  # fmt: skip
    assert found.residence_permit == "Nebenbestimmung\nNiederlassungserlaubnis"


def test_somebody_without_a_place_and_somebody_with_two() -> None:
    assert attributes_of({9: tlv(0x69, tlv(0xA2, tlv(0x0C, b"ohne Angabe")))}).place_of_birth == Place(
        free="ohne Angabe"
    )
    first, second = (tlv(0x30, tlv(0xAB, tlv(0x0C, town))) for town in (b"BERLIN", b"BONN"))
    assert attributes_of({17: tlv(0x71, tlv(0x31, first, second))}).address == Place(city="BERLIN")


def packed(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (4, tlv(0x65, tlv(0x0C, b"ERIKA"))),  # the tag of another group
        (4, tlv(0x64, tlv(0x13, b"ERIKA"))),  # not UTF-8 by its tag
        (4, tlv(0x64, tlv(0x0C, b"\xff"))),
        (4, tlv(0x64, tlv(0x0C, b"ERIKA\x00"))),
        (4, tlv(0x64, tlv(0x0C, b"A"), tlv(0x0C, b"B"))),
        (4, tlv(0x64, tlv(0x0C, b"A" * 2001))),
        (4, tlv(0x64, tlv(0x0C, b"ERIKA")) + b"\x00"),
        (3, tlv(0x63, tlv(0x12, b"203113  "))),
        (8, tlv(0x68, tlv(0x12, b"19641301"))),
        (9, tlv(0x69, tlv(0x30, tlv(0xAF, tlv(0x0C, b"x"))))),
        (9, tlv(0x69, tlv(0x30, *[tlv(0xAB, tlv(0x0C, b"x"))] * 2))),
        (18, tlv(0x72, tlv(0x04, b"\xab\xcd"))),
        (20, tlv(0x74, tlv(0xA2, tlv(0x04, b"no deflate")))),
        (20, tlv(0x74, tlv(0xA2, tlv(0x04, packed(bytes(5_000_000)))))),
        (20, tlv(0x74, tlv(0xA2, tlv(0x04, packed(b"x") + b"more")))),
    ],
)  # fmt: skip
def test_what_no_group_is(number: int, data: bytes) -> None:
    with pytest.raises(MalformedError):
        attributes_of({number: data})


@given(st.integers(1, 22), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(number: int, data: bytes) -> None:
    for group in (data, tlv(0x60 + number, data)):
        with suppress(MalformedError):
            attributes_of({number: group})


def test_what_is_no_attribute_is_left_out() -> None:
    assert attributes_of({14: tlv(0x6E, tlv(0x04, b"signature"))}) == Attributes()
