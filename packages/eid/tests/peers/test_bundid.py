"""BundID's transport against pysaml2's own identity provider, which signs with xmlsec1."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
import saml2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saml2.config import IdPConfig, SPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAME_FORMAT_URI, NAMEID_FORMAT_TRANSIENT, NameID
from saml2.server import Server

from servicepunkt.eid.bundid import ATTRIBUTES, Display
from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.model import Level, PartialDate
from servicepunkt.eid.saml import MOST_LETTERS, BundId, SamlError, SamlRequest, SamlSettings

AT = datetime.now(UTC)
TOWN, STATE = "https://stadt.example/saml", "https://id.bund.example"
ADDRESS = "https://stadt.example/eid/bundid"
WANTED = {"given_names": True, "family_names": True, "date_of_birth": True, "address": False}
ERIKA = {
    "urn:oid:2.5.4.42": "Erika",
    "urn:oid:2.5.4.4": "Mustermann",
    "urn:oid:1.2.40.0.10.2.1.1.55": "1964-08-12",
    "urn:oid:1.2.40.0.10.2.1.1.261.94": "STORK-QAA-Level-4",
}
#: So that the provider leaves the names as they are.
PLAIN = f"""
MAP = {{"identifier": "{NAME_FORMAT_URI}", "fro": {{name: name for name in {[*ATTRIBUTES, *ERIKA]!r}}},
       "to": {{name: name for name in {[*ATTRIBUTES, *ERIKA]!r}}}}}
"""


def pair(folder: Path, name: str) -> dict[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(AT - timedelta(days=1)).not_valid_after(AT + timedelta(days=1))
    files = {"key_file": folder / f"{name}.key", "cert_file": folder / f"{name}.pem"}
    files["key_file"].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files["cert_file"].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return {what: str(path) for what, path in files.items()}


class State:
    """The provider, and the town's side of it."""

    def __init__(self, folder: Path, xmlsec: str) -> None:
        town, state = pair(folder, "town"), pair(folder, "state")
        (folder / "plain").mkdir()
        (folder / "plain" / "plain.py").write_text(PLAIN)
        common = {"xmlsec_binary": xmlsec, "allow_unknown_attributes": True}
        service = {"endpoints": {"single_sign_on_service": [(f"{STATE}/sso", saml2.BINDING_HTTP_POST)]}}
        policy = {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None, "name_form": NAME_FORMAT_URI}}
        idp = {
            "entityid": STATE,
            "service": {"idp": service | {"policy": policy}},
            "attribute_map_dir": str(folder / "plain"),
            **state,
            **common,
        }
        endpoint = {"assertion_consumer_service": [(ADDRESS, saml2.BINDING_HTTP_POST)]}
        sp = {"entityid": TOWN, "service": {"sp": {"endpoints": endpoint}}, **town, **common}
        (folder / "town.xml").write_text(str(entity_descriptor(SPConfig().load(sp))))
        (folder / "state.xml").write_text(str(entity_descriptor(IdPConfig().load(idp))))
        idp["metadata"] = {"local": [str(folder / "town.xml")]}
        self.server = Server(config=IdPConfig().load(idp))
        self.settings = SamlSettings(
            entity=TOWN,
            address=ADDRESS,
            key=Path(town["key_file"]),
            certificate=Path(town["cert_file"]),
            metadata=folder / "state.xml",
            xmlsec=xmlsec,
        )

    def answer(self, request: SamlRequest, *, level: str = "STORK-QAA-Level-4", **changes: Any) -> str:
        said = changes.pop("identity", ERIKA)
        asked = {"in_response_to": request.id, "destination": ADDRESS, "sp_entity_id": TOWN} | changes
        made = self.server.create_authn_response(
            {name: [value] for name, value in said.items()},
            name_id=NameID(format=NAMEID_FORMAT_TRANSIENT, text="x"),
            authn={"class_ref": level, "authn_auth": STATE},
            sign_assertion=changes.get("sign_assertion", True),
            **{name: value for name, value in asked.items() if name != "sign_assertion"},
        )
        return base64.b64encode(str(made).encode()).decode()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]) -> State:
    return State(tmp_path_factory.mktemp("saml"), program("xmlsec1"))


@pytest.fixture(scope="module")
def bund_id(state: State) -> BundId:
    return BundId(state.settings)


def asked(bund_id: BundId) -> SamlRequest:
    return bund_id.request(WANTED, Display(organisation="Stadt Musterstadt"), level=Level.HIGH, relay="r-1")


def test_the_provider_believes_our_request(state: State, bund_id: BundId) -> None:
    request = asked(bund_id)
    assert (request.url, request.fields["RelayState"]) == (f"{STATE}/sso", "r-1")
    seen = state.server.parse_authn_request(request.fields["SAMLRequest"], saml2.BINDING_HTTP_POST)
    assert seen.message.id == request.id
    assert [one.text for one in seen.message.requested_authn_context.authn_context_class_ref] == ["STORK-QAA-Level-4"]
    assert seen.message.requested_authn_context.comparison == "minimum"
    text = base64.b64decode(request.fields["SAMLRequest"]).decode()
    names = [element.get("Name") for element in ElementTree.fromstring(text).iter() if element.get("Name")]
    assert "urn:oid:2.5.4.4" in names
    assert "Stadt Musterstadt" in text
    assert text.index("Extensions") < text.index("RequestedAuthnContext")


def test_somebody_comes_back(state: State, bund_id: BundId) -> None:
    request = asked(bund_id)
    found = bund_id.identity(state.answer(request), request_id=request.id, at=AT)
    assert (found.origin, found.level) == ("bundid", Level.HIGH)
    assert (found.attributes.family_names, found.attributes.date_of_birth) == ("Mustermann", PartialDate(1964, 8, 12))
    assert found.proof
    assert "Mustermann" not in repr(found)
    low = bund_id.identity(state.answer(request, level="STORK-QAA-Level-1"), request_id=request.id, at=AT)
    assert low.level is Level.LOW, "of two levels the lower one counts"


@pytest.mark.parametrize(
    "changes",
    [
        {"in_response_to": "id-other"},
        {"destination": "https://elsewhere.example/"},
        {"sp_entity_id": "https://elsewhere.example/saml"},
        {"sign_assertion": False},
        {"identity": ERIKA | {"urn:oid:1.2.40.0.10.2.1.1.261.94": "STORK-QAA-Level-9"}},
    ],
)
def test_what_is_not_for_us_is_refused(state: State, bund_id: BundId, changes: dict[str, Any]) -> None:
    request = asked(bund_id)
    with pytest.raises(EidError) as caught:
        bund_id.identity(state.answer(request, **changes), request_id=request.id, at=AT)
    assert "Mustermann" not in f"{caught.value!r} {caught.value.__context__!r}" or caught.value.__suppress_context__


def test_a_name_that_was_changed_or_put_beside_is_refused(state: State, bund_id: BundId) -> None:
    request = asked(bund_id)
    right = base64.b64decode(state.answer(request)).decode()
    (whole,) = re.findall(r"<(?:\w+:)?Assertion .*</(?:\w+:)?Assertion>", right, re.DOTALL)
    forged = re.sub(r"<(?:\w+:)?Signature .*?</(?:\w+:)?Signature>", "", whole, flags=re.DOTALL).replace(
        "Mustermann", "Falsch"
    )
    for text in (
        right.replace("Mustermann", "Falsch"),
        right.replace(whole, forged),
        right.replace(whole, forged + whole),
        right.replace(whole, whole + forged),
    ):
        with pytest.raises(EidError):
            bund_id.identity(base64.b64encode(text.encode()).decode(), request_id=request.id, at=AT)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=200), st.binary(max_size=300).map(lambda data: base64.b64encode(data).decode())))
def test_noise_is_refused(bund_id: BundId, noise: str) -> None:
    with pytest.raises(EidError):
        bund_id.identity(noise, request_id="id-1", at=AT)


def test_too_long_bombs_and_no_files(bund_id: BundId, state: State, tmp_path: Path) -> None:
    with pytest.raises(MalformedError):
        bund_id.identity("A" * (MOST_LETTERS + 1), request_id="id-1", at=AT)
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Response>&b;</Response>'
    with pytest.raises(SamlError):
        bund_id.identity(base64.b64encode(bomb.encode()).decode(), request_id="id-1", at=AT)
    (tmp_path / "none.xml").write_text("<x/>")
    for path in (tmp_path / "absent.xml", tmp_path / "none.xml"):
        with pytest.raises(MalformedError):
            BundId(msgspec.structs.replace(state.settings, metadata=path))
