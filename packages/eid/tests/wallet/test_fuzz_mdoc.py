"""As test_fuzz, for CBOR: any bytes, any structure, and structures behind signatures that fit."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.wallet import DOCTYPE, FakeIssuer, _cose_key, _cose_sign
from servicepunkt.eid.wallet import attributes
from servicepunkt.eid.wallet.trust import TrustAnchors

cbor2 = pytest.importorskip("cbor2")
cbor = pytest.importorskip("servicepunkt.eid.wallet.cbor")
cose = pytest.importorskip("servicepunkt.eid.wallet.cose")
mdoc = pytest.importorskip("servicepunkt.eid.wallet.mdoc")

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ISSUER = FakeIssuer(now=NOW)
ANCHORS = TrustAnchors.of(ISSUER.certificate)
HOLDER = ec.generate_private_key(ec.SECP256R1())
TRANSCRIPT = mdoc.session_transcript("me", "n", None, "https://me.example")
NAMES = st.sampled_from([
    "version", "documents", "docType", "issuerSigned", "deviceSigned", "nameSpaces", "issuerAuth", "deviceAuth",
    "deviceSignature", "deviceMac", "digestID", "random", "elementIdentifier", "elementValue", "valueDigests",
    "deviceKeyInfo", "deviceKey", "validityInfo", "signed", "validFrom", "validUntil", "status", "status_list", "uri",
    "idx", "birth_date", "sex", DOCTYPE,
])  # fmt: skip
LABELS = NAMES | st.integers(-5, 5) | st.sampled_from([16, 33, 65533, 65534]) | st.booleans()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=40) | st.text(max_size=5) | NAMES
    | st.datetimes(timezones=st.just(UTC)) | st.dates(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(LABELS, inner, max_size=4)
    | st.builds(cbor2.CBORTag, st.sampled_from([0, 1, 2, 4, 5, 17, 18, 24, 28, 29, 30, 35, 61, 256, 1004]), inner)
    | inner.map(lambda value: cbor2.CBORTag(24, cbor2.dumps(value))),
    max_leaves=12,
)  # fmt: skip
MAPS = st.dictionaries(NAMES, VALUES, max_size=4)
fuzzed = settings(
    max_examples=int(os.environ.get("SERVICEPUNKT_FUZZ_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def verify(data: bytes) -> None:
    with suppress(EidError):
        found = mdoc.verify(data, anchors=ANCHORS, doctype=DOCTYPE, transcript=TRANSCRIPT, now=NOW, reader_key=HOLDER)
        attributes.from_mdoc(found.claims, attributes.Ask(required=tuple(attributes.PID), age=18), NOW.date())


@fuzzed
@given(st.binary(max_size=300))
def test_bytes(data: bytes) -> None:
    with suppress(EidError):
        cbor.loads(data, "x")
    verify(data)


@fuzzed
@given(VALUES)
def test_structures(value: Any) -> None:
    data = cbor2.dumps(value)
    with suppress(EidError):
        cbor.loads(data, "x")
    for whole in (value, {"version": "1.0", "status": 0, "documents": [value]}):
        verify(cbor2.dumps(whole))


@fuzzed
@given(VALUES)
def test_keys_and_signed_objects(value: Any) -> None:
    for read in (cose.public_key, cose.take_apart):
        with suppress(EidError):
            read(cbor.loads(cbor2.dumps(value), "x"), "x")
    with suppress(EidError):
        cose.status_claims(cbor2.dumps(value), ANCHORS, NOW)


@fuzzed
@given(
    st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=3), st.lists(VALUES, max_size=3)
)
def test_structures_behind_a_good_signature(security: Any, device: Any, items: Any) -> None:
    begin = NOW - timedelta(days=1)
    tags = [cbor2.CBORTag(24, cbor2.dumps(item)) for item in items]
    whole = {
        "version": "1.0",
        "digestAlgorithm": "SHA-256",
        "docType": DOCTYPE,
        "validityInfo": {"signed": begin, "validFrom": begin, "validUntil": NOW + timedelta(days=1)},
        "deviceKeyInfo": {"deviceKey": _cose_key(HOLDER)},
        "valueDigests": {DOCTYPE: {}},
        **security,
    }
    auth = _cose_sign(ISSUER.key, cbor2.dumps(cbor2.CBORTag(24, cbor2.dumps(whole))), x5chain=ISSUER.signer)
    document = {
        "docType": DOCTYPE,
        "issuerSigned": {"nameSpaces": {DOCTYPE: tags} if tags else {}, "issuerAuth": auth},
        "deviceSigned": {"nameSpaces": cbor2.CBORTag(24, b"\xa0"), "deviceAuth": {}, **device},
    }
    verify(cbor2.dumps({"version": "1.0", "status": 0, "documents": [document]}))
