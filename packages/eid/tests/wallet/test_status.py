"""Status lists: the vectors of the draft, revoked and not, kept and fetched again, and bombs."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.testing.wallet import STATUS_URI, FakeIssuer
from servicepunkt.eid.wallet import jose, status
from servicepunkt.eid.wallet.errors import RevokedError, SignatureError, StatusError, UntrustedError
from servicepunkt.eid.wallet.status import StatusList, StatusLists, StatusReference
from servicepunkt.eid.wallet.trust import TrustAnchors

#: draft-ietf-oauth-status-list §4.1: the bytes, their bits, and what they say.
VECTORS = [
    ("b9a3", 1, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]),
    ("c944f9", 2, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]),
]
#: §4.2: the first of them, compressed, as it is in the claim `lst`.
PACKED = "eNrbuRgAAhcBXQ"


@pytest.mark.parametrize(("data", "bits", "statuses"), VECTORS)
def test_bits_of_the_draft(data: str, bits: int, statuses: list[int], now: datetime) -> None:
    found = StatusList(bits, bytes.fromhex(data), now)
    assert [found.status(index) for index in range(len(statuses))] == statuses
    with pytest.raises(StatusError):
        found.status(len(statuses))


def test_the_list_of_the_draft() -> None:
    assert status._unpacked(jose.decode64(PACKED, "lst")).hex() == "b9a3"


Token = Callable[..., bytes]


@pytest.fixture
def token(issuer: FakeIssuer, now: datetime) -> Token:
    def make(header: dict[str, Any] | None = None, **claims: Any) -> bytes:
        x5c = [base64.b64encode(issuer.signer.public_bytes(Encoding.DER)).decode()]
        at = int(now.timestamp())
        payload = {"sub": STATUS_URI, "iat": at, "exp": at + 3600, "status_list": {"bits": 1, "lst": PACKED}} | claims
        kept = {name: value for name, value in payload.items() if value is not None}
        return jose.sign({"typ": "statuslist+jwt", "x5c": x5c} | (header or {}), kept, issuer.key).encode()

    return make


def test_a_list_is_read(token: Token, anchors: TrustAnchors, now: datetime) -> None:
    found = status.read(token(), uri=STATUS_URI, anchors=anchors, now=now)
    assert (found.bits, found.statuses.hex()) == (1, "b9a3")
    assert found.keep_until == now + status.KEEP
    assert status.read(token(ttl=60), uri=STATUS_URI, anchors=anchors, now=now).keep_until == now + timedelta(
        seconds=60
    )
    soon = int(now.timestamp()) + 30
    found = status.read(token(exp=soon), uri=STATUS_URI, anchors=anchors, now=now)
    assert found.keep_until == now + timedelta(seconds=30)
    assert status.read(token(exp=None), uri=STATUS_URI, anchors=anchors, now=now)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"sub": "https://other.example"}, "SP4001"),
        ({"iat": None}, "SP4001"),
        ({"iat": 2_000_000_000}, "SP4311"),
        ({"exp": 1}, "SP4311"),
        ({"ttl": "1"}, "SP4001"),
        ({"status_list": None}, "SP4001"),
        ({"status_list": {"bits": 3, "lst": PACKED}}, "SP4001"),
        ({"status_list": {"bits": True, "lst": PACKED}}, "SP4001"),
        ({"status_list": {"bits": 1}}, "SP4001"),
        ({"status_list": {"bits": 1, "lst": "AAAA"}}, "SP4001"),
        ({"status_list": {"bits": 1, "lst": PACKED[:-4]}}, "SP4001"),
        ({"status_list": {"bits": 1, "lst": jose.encode64(zlib.compress(b"") + b"x")}}, "SP4001"),
    ],
)
def test_lists_that_are_refused(
    claims: dict[str, Any], code: str, token: Token, anchors: TrustAnchors, now: datetime
) -> None:
    with pytest.raises(EidError) as caught:
        status.read(token(**claims), uri=STATUS_URI, anchors=anchors, now=now)
    assert caught.value.code == code


def test_a_list_that_was_changed(token: Token, anchors: TrustAnchors, now: datetime) -> None:
    head, _, signature = token().decode().split(".")
    body = token(status_list={"bits": 1, "lst": jose.encode64(zlib.compress(bytes(2)))}).decode().split(".")[1]
    with pytest.raises(SignatureError):
        status.read(f"{head}.{body}.{signature}".encode(), uri=STATUS_URI, anchors=anchors, now=now)


def test_a_list_of_somebody_else(token: Token, anchors: TrustAnchors, now: datetime) -> None:
    with pytest.raises(UntrustedError):
        status.read(token(), uri=STATUS_URI, anchors=TrustAnchors([]), now=now)
    with pytest.raises(MalformedError):
        status.read(token({"typ": "JWT"}), uri=STATUS_URI, anchors=anchors, now=now)
    for data in (b"", b"eyJ", "eyJä".encode(), b"x" * 3_000_000):
        with pytest.raises(EidError):
            status.read(data, uri=STATUS_URI, anchors=anchors, now=now)


def test_a_bomb_takes_no_memory(token: Token, anchors: TrustAnchors, now: datetime) -> None:
    bomb = jose.encode64(zlib.compress(bytes(500_000_000), 9))
    data = token(status_list={"bits": 8, "lst": bomb})
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError, match="longer"):
            status.read(data, uri=STATUS_URI, anchors=anchors, now=now)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_revoked_and_not(issuer: FakeIssuer, anchors: TrustAnchors, now: datetime) -> None:
    lists = StatusLists(issuer.fetch, anchors)
    good, bad = StatusReference(STATUS_URI, 8_000), StatusReference(STATUS_URI, 8_001)
    issuer.revoked.add(8_001)
    lists.check(good, now)
    with pytest.raises(RevokedError, match="status 1"):
        lists.check(bad, now)
    with pytest.raises(StatusError):
        lists.check(StatusReference(STATUS_URI, 10**6), now)


def test_a_list_is_kept_for_its_time(issuer: FakeIssuer, anchors: TrustAnchors, now: datetime) -> None:
    fetched: list[str] = []

    def fetch(uri: str) -> bytes:
        fetched.append(uri)
        return issuer.fetch(uri)

    lists, reference = StatusLists(fetch, anchors), StatusReference(STATUS_URI, 7_000)
    for seconds in (0, 100, 299):
        lists.check(reference, now + timedelta(seconds=seconds))
    assert len(fetched) == 1
    lists.check(reference, now + timedelta(seconds=300))
    assert len(fetched) == 2


def test_a_list_out_of_reach(anchors: TrustAnchors, now: datetime) -> None:
    def fetch(uri: str) -> bytes:
        raise ConnectionError(uri)

    for broken in (fetch, lambda uri: b"<html>"):
        with pytest.raises(StatusError):
            StatusLists(broken, anchors).check(StatusReference(STATUS_URI, 1), now)


def test_a_document_without_a_status() -> None:
    assert StatusReference.of_claims(None) is None


def test_a_list_in_cbor(issuer: FakeIssuer, anchors: TrustAnchors, now: datetime) -> None:
    cbor2 = pytest.importorskip("cbor2")
    from servicepunkt.eid.testing.wallet import _cose_sign, _sign

    at = int(now.timestamp())

    def make(**changes: Any) -> bytes:
        listed = {"bits": 1, "lst": zlib.compress(bytes.fromhex("b9a3"))}
        claims = {2: STATUS_URI, 6: at, 4: at + 60, 65534: 30, 65533: listed}
        protected = cbor2.dumps({1: -7, 16: changes.get("typ", "application/statuslist+cwt")})
        signed = _cose_sign(issuer.key, cbor2.dumps(claims), x5chain=issuer.signer)
        content = cbor2.dumps(["Signature1", protected, b"", signed[2]])
        signed[0], signed[3] = protected, _sign(issuer.key, content)
        return bytes(cbor2.dumps(cbor2.CBORTag(18, signed)))

    found = status.read(make(), uri=STATUS_URI, anchors=anchors, now=now)
    assert (found.statuses.hex(), found.keep_until) == ("b9a3", now + timedelta(seconds=30))
    for data in (make(typ="application/cwt"), make()[:-1], make()[:-2] + b"\x00\x00", cbor2.dumps(json.dumps({}))):
        with pytest.raises(EidError):
            status.read(data, uri=STATUS_URI, anchors=anchors, now=now)
