"""Points: against the library for what the library can, and by the laws of the group for what it cannot."""

from __future__ import annotations

import os
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from servicepunkt.eid.curve import BRAINPOOL_P256, BY_NAME, BY_PARAMETER, Curve
from servicepunkt.eid.errors import CryptoError

PEERS: dict[str, ec.EllipticCurve] = {
    "brainpoolP256r1": ec.BrainpoolP256R1(),
    "brainpoolP384r1": ec.BrainpoolP384R1(),
    "brainpoolP512r1": ec.BrainpoolP512R1(),
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
}
CURVES = pytest.mark.parametrize("curve", BY_NAME.values(), ids=lambda curve: curve.name)


@CURVES
def test_public_keys_are_those_of_the_library(curve: Curve) -> None:
    for secret in (1, 2, curve.n - 1, curve.scalar(os.urandom)):
        numbers = ec.derive_private_key(secret, PEERS[curve.name]).public_key().public_numbers()
        assert curve.multiply(secret) == (numbers.x, numbers.y)


@CURVES
def test_the_laws_of_a_group(curve: Curve) -> None:
    chance = random.Random(7)
    first, second = (chance.randrange(1, curve.n) for _ in range(2))
    one, other = curve.multiply(first), curve.multiply(second)
    assert curve.add(one, other) == curve.multiply(first + second)
    assert curve.add(one, one) == curve.multiply(2 * first)
    assert curve.multiply(first, other) == curve.multiply(second, one)
    negative = one[0], curve.p - one[1]
    with pytest.raises(CryptoError, match="infinity"):
        curve.add(one, negative)
    with pytest.raises(CryptoError, match="infinity"):
        curve.multiply(curve.n, one)


@CURVES
def test_points_of_elsewhere_are_refused(curve: Curve) -> None:
    good = curve.encode(curve.generator)
    assert curve.decode(good) == curve.generator
    for bad in (b"", good[:-1], good + b"\0", b"\x02" + good[1:], good[:-1] + bytes([good[-1] ^ 1]),
                b"\x04" + bytes(2 * curve.size), b"\x04" + b"\xff" * (2 * curve.size)):  # fmt: skip
        with pytest.raises(CryptoError):
            curve.decode(bad)


def test_a_scalar_is_never_zero_nor_the_order() -> None:
    assert BRAINPOOL_P256.scalar(lambda count: bytes(count)) == 1
    assert 1 <= BRAINPOOL_P256.scalar(lambda count: b"\xff" * count) < BRAINPOOL_P256.n


def test_numbers_of_the_standard() -> None:
    assert {number: curve.name for number, curve in BY_PARAMETER.items()} == {
        12: "secp256r1", 13: "brainpoolP256r1", 15: "secp384r1", 16: "brainpoolP384r1", 17: "brainpoolP512r1",
        18: "secp521r1",
    }  # fmt: skip
