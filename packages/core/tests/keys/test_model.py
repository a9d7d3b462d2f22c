"""Sealing: what was sealed opens with the same key and context, and with nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.keys import model
from servicepunkt.core.keys.model import UnreadableError

KEY = bytes(range(32))
PRIVATE, PUBLIC = model.new_key_pair()
CONTEXTS = st.text(max_size=20)


def seal(plain: bytes, context: str = "place", *, key: bytes = KEY) -> bytes:
    return model.seal(key, plain, context=context, randomness=secrets.token_bytes)


@given(st.binary(max_size=300), CONTEXTS)
def test_what_was_sealed_opens_again(plain: bytes, context: str) -> None:
    assert model.unseal(KEY, seal(plain, context), context=context) == plain


@given(st.binary(max_size=40), CONTEXTS, CONTEXTS)
def test_a_value_opens_only_in_its_own_context(plain: bytes, context: str, other: str) -> None:
    if context != other:
        with pytest.raises(UnreadableError):
            model.unseal(KEY, seal(plain, context), context=other)


def test_a_value_with_any_bit_changed_or_any_byte_cut_does_not_open() -> None:
    sealed = seal(b"0175 1234567")
    spoilt = [
        sealed[:n] + bytes([sealed[n] ^ 1 << bit]) + sealed[n + 1 :] for n in range(len(sealed)) for bit in range(8)
    ]
    spoilt += [sealed[:n] for n in range(len(sealed))] + [sealed + b"\0"]
    for value in spoilt:
        with pytest.raises(UnreadableError):
            model.unseal(KEY, value, context="place")


def test_another_key_opens_nothing() -> None:
    with pytest.raises(UnreadableError):
        model.unseal(bytes(32), seal(b"x"), context="place")


def test_the_wire_form_is_the_documented_one() -> None:
    """Version 01, twelve bytes of nonce, AES-256-GCM with the context as associated data."""
    sealed = model.seal(KEY, b"plain", context="place", randomness=lambda count: bytes(range(count)))
    assert sealed == b"\x01" + bytes(range(12)) + AESGCM(KEY).encrypt(bytes(range(12)), b"plain", b"place")


def test_every_seal_asks_for_a_nonce_of_its_own() -> None:
    asked: list[int] = []

    def randomness(count: int) -> bytes:
        asked.append(count)
        return secrets.token_bytes(count)

    sealed = {model.seal(KEY, b"same", context="same", randomness=randomness) for _ in range(50)}
    assert (asked, len(sealed)) == ([12] * 50, 50)


@given(st.binary(max_size=200), CONTEXTS)
def test_what_was_sealed_to_a_public_key_opens_with_the_private_one(plain: bytes, context: str) -> None:
    assert model.unseal_with(PRIVATE, model.seal_to(PUBLIC, plain, context=context), context=context) == plain


@given(CONTEXTS, CONTEXTS)
def test_hpke_binds_a_value_to_its_context(context: str, other: str) -> None:
    if context != other:
        with pytest.raises(UnreadableError):
            model.unseal_with(PRIVATE, model.seal_to(PUBLIC, b"123456", context=context), context=other)


def test_another_private_key_opens_nothing() -> None:
    stranger, _ = model.new_key_pair()
    for private in (stranger, b"", bytes(31)):
        with pytest.raises(UnreadableError):
            model.unseal_with(private, model.seal_to(PUBLIC, b"123456", context="c"), context="c")


@pytest.mark.parametrize(
    "unseal",
    [
        lambda content: model.unseal(KEY, content, context="place"),
        lambda content: model.unseal_with(PRIVATE, content, context="place"),
    ],
    ids=["AES-GCM", "HPKE"],
)
def test_whatever_bytes_come_the_answer_is_the_same_refusal(unseal: Callable[[bytes], bytes]) -> None:
    for length in range(100):
        for content in (bytes(length), b"\x01" * length, secrets.token_bytes(length)):
            with pytest.raises(UnreadableError):
                unseal(content)
