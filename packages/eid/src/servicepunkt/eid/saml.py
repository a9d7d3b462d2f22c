"""BundID's transport: signed requests and answers of SAML 2 by HTTP POST, with pysaml2 and the program `xmlsec1`. The
extra `[bundid]`, and the one module that imports it.

    bund_id = BundId(settings)
    asked = bund_id.request({"family_names": True}, Display(organisation="Stadt"), level=Level.HIGH)   # a form to post
    identity = bund_id.identity(answer, request_id=asked.id, at=now)                                   # posted back

What is remembered between the two is `asked.id`, for one browser, once.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import saml2
from saml2 import samlp
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.saml import Assertion
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from servicepunkt.eid import bundid
from servicepunkt.eid.bundid import Display
from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.model import Identity, Level

MOST_LETTERS = 400_000
#: Clocks may differ so many seconds.
APART = 60


class SamlError(EidError):
    code = "SP4230"
    sentence = "The answer of BundID was refused."


class SamlSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`entity`: our name at BundID; `address`: where answers are posted to. `key` and `certificate` (RSA) sign our
    requests and open encrypted answers; `metadata`: BundID's, as it is published. All are files of PEM or XML."""

    entity: str
    address: str
    key: Path
    certificate: Path
    metadata: Path
    xmlsec: str = "xmlsec1"


class SamlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A form that the browser posts to `url`."""

    id: str
    url: str
    fields: Mapping[str, str]


class BundId:
    """One service at one BundID."""

    def __init__(self, settings: SamlSettings) -> None:
        """Raises MalformedError for files that are none of it."""
        pair = {"key_file": str(settings.key), "cert_file": str(settings.certificate)}
        config = {
            "entityid": settings.entity,
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(settings.address, saml2.BINDING_HTTP_POST)]},
                    "authn_requests_signed": True,
                    "want_assertions_signed": True,
                    "want_response_signed": False,
                    "allow_unsolicited": False,
                }
            },
            **pair,
            "encryption_keypairs": [pair],
            "metadata": {"local": [str(settings.metadata)]},
            "xmlsec_binary": settings.xmlsec,
            "allow_unknown_attributes": True,
            "accepted_time_diff": APART,
            "signing_algorithm": SIG_RSA_SHA256,
            "digest_algorithm": DIGEST_SHA256,
        }
        try:
            self._client = Saml2Client(SPConfig().load(config))
            (self._provider,) = self._client.metadata.with_descriptor("idpsso")
            self._url = self._client.sso_location(self._provider, saml2.BINDING_HTTP_POST)
        except (OSError, ValueError, saml2.SAMLError) as error:
            raise MalformedError(what="SAML settings", why=type(error).__name__) from error

    def request(self, wanted: Mapping[str, bool], display: Display, *, level: Level, relay: str = "") -> SamlRequest:
        """`wanted` and `display` as in `bundid.extension`; at least `level` is asked for. `relay` comes back as it is.

        Raises ValueError for an attribute that BundID does not have.
        """
        element = saml2.extension_element_from_string(bundid.extension(wanted, display))
        context = {"authn_context_class_ref": [bundid.level_name(level)], "comparison": "minimum"}
        made, text = self._client.create_authn_request(
            self._url,
            extensions=samlp.Extensions(extension_elements=[element]),
            requested_authn_context=context,
            sign=True,
            sign_alg=SIG_RSA_SHA256,
            digest_alg=DIGEST_SHA256,
        )
        fields = {"SAMLRequest": base64.b64encode(str(text).encode()).decode()}
        return SamlRequest(id=made, url=self._url, fields=fields | ({"RelayState": relay} if relay else {}))

    def identity(self, answer: str, *, request_id: str, at: datetime) -> Identity:
        """What was posted back (`SAMLResponse`) for our request of this id. Signature, audience, address, times and
        the request that is answered are checked. Raises SamlError, MalformedError."""
        if len(answer) > MOST_LETTERS:
            raise MalformedError(what="SAML", why="too long")
        try:
            base64.b64decode(answer, validate=True)
            said = self._client.parse_authn_request_response(answer, saml2.BINDING_HTTP_POST, {request_id: ""})
            assertion = said.assertion if said is not None else None
            contexts = [found[0] for found in said.authn_info()] if assertion is not None else []
        except binascii.Error:
            raise MalformedError(what="SAML", why="no base64") from None
        except Exception as error:  # noqa: BLE001 - pysaml2 raises whatever its parts raise
            # Not chained: what it says may quote somebody.
            raise SamlError(why=type(error).__name__[:60]) from None
        if assertion is None or said.issuer() != self._provider or len(contexts) != 1:
            raise SamlError(why="no answer of BundID to this request")
        return bundid.identity(_values(assertion), context=contexts[0], proof=str(assertion.id), at=at)


def _values(assertion: Assertion) -> dict[str, list[str]]:
    """What was stated, by name. Raises MalformedError for a name that comes twice."""
    found: dict[str, list[str]] = {}
    attributes: list[Any] = [one for statement in assertion.attribute_statement for one in statement.attribute]
    for one in attributes:
        if one.name in found:
            raise MalformedError(what="assertion", why="an attribute twice")
        found[one.name] = [value.text or "" for value in one.attribute_value]
    return found
