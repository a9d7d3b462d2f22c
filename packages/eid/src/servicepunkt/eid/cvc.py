"""Card-verifiable certificates: with them a terminal shows a card what it may do (TR-03110-3 annex C). Pure.

    trusted = Trusted.of(anchor)
    for certificate in path(certificates, start=trusted.holder):
        trusted = check(certificate, trusted, today=today)
    trusted.chat    # what the whole chain allows

A certificate is read only if it is written in the one way: tags in order, shortest lengths, nothing left over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from servicepunkt.eid.curve import BY_NAME, Curve
from servicepunkt.eid.errors import CertificateError, CryptoError, MalformedError
from servicepunkt.eid.rights import Chat, Role
from servicepunkt.eid.tlv import Tlv, only, parse, tlv

#: Longer than any: an anchor on a curve of 521 bits has below 1000.
MOST_BYTES = 2_048
MOST_DESCRIPTION_BYTES = 16_384
#: More than any card asks for: link certificates of ten years, one a year.
MOST_CERTIFICATES = 16

CERTIFICATE, BODY, SIGNATURE = 0x7F21, 0x7F4E, 0x5F37
PROFILE, AUTHORITY, PUBLIC_KEY, HOLDER, CHAT = 0x5F29, 0x42, 0x7F49, 0x5F20, 0x7F4C
EFFECTIVE, EXPIRATION, EXTENSIONS, EXTENSION = 0x5F25, 0x5F24, 0x65, 0x73
OID, POINT = 0x06, 0x86
_BODY_TAGS = (PROFILE, AUTHORITY, PUBLIC_KEY, HOLDER, CHAT, EFFECTIVE, EXPIRATION)

#: id-TA-ECDSA-SHA-256, -384 and -512 (TR-03110-3 table 19).
TA_ECDSA_SHA_256 = bytes.fromhex("04007F00070202020203")
TA_ECDSA_SHA_384 = bytes.fromhex("04007F00070202020204")
TA_ECDSA_SHA_512 = bytes.fromhex("04007F00070202020205")
HASHES: Mapping[bytes, type[hashes.HashAlgorithm]] = {
    TA_ECDSA_SHA_256: hashes.SHA256,
    TA_ECDSA_SHA_384: hashes.SHA384,
    TA_ECDSA_SHA_512: hashes.SHA512,
}
#: Extensions: the digest of the description; the digests of one or two sector keys (TR-03110-3 annex C.3).
ID_DESCRIPTION = bytes.fromhex("04007F000703010301")
ID_SECTOR = bytes.fromhex("04007F000703010302")
#: What terms of usage are written in.
PLAIN_FORMAT = bytes.fromhex("04007F00070301030101")
HTML_FORMAT = bytes.fromhex("04007F00070301030102")
PDF_FORMAT = bytes.fromhex("04007F00070301030103")

#: Who issues certificates of which role. A link certificate is issued by the country's CA to its own next key.
MAY_ISSUE: Mapping[Role, frozenset[Role]] = {
    Role.CVCA: frozenset({Role.CVCA, Role.DV_OFFICIAL, Role.DV_OTHER}),
    Role.DV_OFFICIAL: frozenset({Role.TERMINAL}),
    Role.DV_OTHER: frozenset({Role.TERMINAL}),
    Role.TERMINAL: frozenset(),
}
_LIBRARY_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
    "secp256r1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
}


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key for signatures. `curve` is None where the certificate leaves the domain parameters to its issuer's."""

    algorithm: bytes
    point: bytes
    curve: Curve | None = None

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey, algorithm: bytes = TA_ECDSA_SHA_256) -> Self:
        """With its domain parameters, as an anchor has them."""
        curve = BY_NAME[key.curve.name]
        numbers = key.public_numbers()
        return cls(algorithm=algorithm, point=curve.encode((numbers.x, numbers.y)), curve=curve)

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """From the value of the object 7F49. Raises MalformedError, CertificateError for a curve nobody knows."""
        objects = parse(value)
        match [one.tag for one in objects]:
            case [0x06, 0x86]:
                return cls(algorithm=objects[0].value, point=objects[1].value)
            case [0x06, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87]:
                return cls(
                    algorithm=objects[0].value,
                    point=objects[6].value,
                    curve=_curve([objects[index].value for index in (1, 2, 3, 4, 5, 7)]),
                )
        raise MalformedError(what="certificate", why="not the key of an elliptic curve")

    def encode(self) -> bytes:
        """The object 7F49."""
        if self.curve is None:
            return tlv(PUBLIC_KEY, tlv(OID, self.algorithm), tlv(POINT, self.point))
        p, a, b, generator, n, cofactor = _domain(self.curve)
        return tlv(
            PUBLIC_KEY, tlv(OID, self.algorithm), tlv(0x81, p), tlv(0x82, a), tlv(0x83, b), tlv(0x84, generator),
            tlv(0x85, n), tlv(POINT, self.point), tlv(0x87, cofactor),
        )  # fmt: skip

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check r||s over `data` (TR-03111 §5.2.1). Raises CryptoError, CertificateError for a foreign algorithm."""
        curve, algorithm = self.curve, HASHES.get(self.algorithm)
        if algorithm is None or curve is None:
            raise CertificateError(why="algorithm")
        curve.decode(self.point)
        size = _order_size(curve)
        if len(signature) != 2 * size:
            raise CryptoError(what="signature", why="length")
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        public = ec.EllipticCurvePublicKey.from_encoded_point(_LIBRARY_CURVES[curve.name](), self.point)
        try:
            public.verify(encode_dss_signature(r, s), data, ec.ECDSA(algorithm()))
        except InvalidSignature as error:
            raise CryptoError(what="signature", why="wrong") from error


def sign(key: ec.EllipticCurvePrivateKey, data: bytes, algorithm: bytes = TA_ECDSA_SHA_256) -> bytes:
    """r||s over `data`, as certificates and terminal authentication have it."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(HASHES[algorithm]())))
    size = _order_size(BY_NAME[key.curve.name])
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _order_size(curve: Curve) -> int:
    return (curve.n.bit_length() + 7) // 8


def _domain(curve: Curve) -> list[bytes]:
    p, a, b, n = (value.to_bytes(curve.size, "big") for value in (curve.p, curve.a, curve.b, curve.n))
    return [p, a, b, curve.encode(curve.generator), n, b"\x01"]


def _curve(domain: list[bytes]) -> Curve:
    for curve in BY_NAME.values():
        if _domain(curve) == domain:
            return curve
    raise CertificateError(why="unknown curve")


class Extension(msgspec.Struct, frozen=True):
    """Values under an object identifier, [0] the first, [1] the second: digests, in those that are standardized."""

    oid: bytes
    values: tuple[bytes, ...]

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """From the value of an object 73. Raises MalformedError."""
        objects = parse(value)
        if len(objects) < 2 or [one.tag for one in objects] != [OID, *range(0x80, 0x7F + len(objects))]:
            raise MalformedError(what="certificate", why="extension")
        return cls(objects[0].value, tuple(one.value for one in objects[1:]))

    def encode(self) -> bytes:
        return tlv(EXTENSION, tlv(OID, self.oid), *(tlv(0x80 + at, value) for at, value in enumerate(self.values)))


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of a chain. `authority` and `holder` are references: country, mnemonic, sequence number.

    `body` is the object 7F4E as it was signed, `signature` is r||s. Valid from `effective` to `expiration`, both days
    included.
    """

    authority: str
    holder: str
    key: PublicKey
    chat: Chat
    effective: date
    expiration: date
    extensions: tuple[Extension, ...] = ()
    body: bytes
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """From the object 7F21. Raises MalformedError, CertificateError for a curve nobody knows."""
        if len(data) > MOST_BYTES:
            raise MalformedError(what="certificate", why="too long")
        signed = parse(only(data, CERTIFICATE))
        if [one.tag for one in signed] != [BODY, SIGNATURE]:
            raise MalformedError(what="certificate", why="not a body and a signature")
        fields = parse(signed[0].value)
        tags = tuple(one.tag for one in fields)
        if tags not in (_BODY_TAGS, (*_BODY_TAGS, EXTENSIONS)):
            raise MalformedError(what="certificate", why="not the fields of a body in their order")
        profile, authority, key, holder, chat, effective, expiration = (one.value for one in fields[:7])
        if profile != b"\x00":
            raise MalformedError(what="certificate", why="profile")
        found = cls(
            authority=_reference(authority),
            holder=_reference(holder),
            key=PublicKey.parse(key),
            chat=Chat.decode(tlv(CHAT, chat)),
            effective=_day(effective),
            expiration=_day(expiration),
            extensions=_extensions(fields[7].value) if len(fields) > 7 else (),
            body=bytes(signed[0]),
            signature=signed[1].value,
        )
        if found.encode() != data or found._unsigned() != found.body:
            raise MalformedError(what="certificate", why="not written in the one way")
        if found.expiration < found.effective:
            raise MalformedError(what="certificate", why="dates")
        return found

    @classmethod
    def issue(
        cls,
        *,
        signer: ec.EllipticCurvePrivateKey,
        algorithm: bytes = TA_ECDSA_SHA_256,
        authority: str,
        holder: str,
        key: PublicKey,
        chat: Chat,
        effective: date,
        expiration: date,
        extensions: tuple[Extension, ...] = (),
    ) -> Self:
        """Written and signed; `algorithm` is that of `signer`, whose reference is `authority`."""
        made = cls(
            authority=authority, holder=holder, key=key, chat=chat, effective=effective, expiration=expiration,
            extensions=extensions, body=b"", signature=b"",
        )  # fmt: skip
        body = made._unsigned()
        return msgspec.structs.replace(made, body=body, signature=sign(signer, body, algorithm))

    def _unsigned(self) -> bytes:
        extensions = [tlv(EXTENSIONS, *(one.encode() for one in self.extensions))] if self.extensions else []
        return tlv(
            BODY, tlv(PROFILE, b"\x00"), tlv(AUTHORITY, self.authority.encode("latin-1")), self.key.encode(),
            tlv(HOLDER, self.holder.encode("latin-1")), self.chat.encode(), tlv(EFFECTIVE, _digits(self.effective)),
            tlv(EXPIRATION, _digits(self.expiration)), *extensions,
        )  # fmt: skip

    @property
    def inner(self) -> bytes:
        """What 'PSO: verify certificate' takes: the value of the object 7F21."""
        return self.body + tlv(SIGNATURE, self.signature)

    def encode(self) -> bytes:
        """The object 7F21."""
        return tlv(CERTIFICATE, self.inner)

    def extension(self, oid: bytes) -> tuple[bytes, ...]:
        """The values of an extension; none where it is missing."""
        return next((one.values for one in self.extensions if one.oid == oid), ())


def _reference(value: bytes) -> str:
    """Two letters of the country, a mnemonic of up to nine, five of the sequence (TR-03110-3 §A.6.1)."""
    if not 8 <= len(value) <= 16 or not value[:2].isalpha() or any(not 0x20 < byte < 0x7F for byte in value):
        raise MalformedError(what="certificate", why="reference")
    return value.decode("ascii")


def _day(value: bytes) -> date:
    """YYMMDD, a byte each digit (TR-03110-3 §D.2.1.3)."""
    if len(value) != 6 or max(value) > 9:
        raise MalformedError(what="certificate", why="date")
    year, month, day = (value[at] * 10 + value[at + 1] for at in (0, 2, 4))
    try:
        return date(2000 + year, month, day)
    except ValueError as error:
        raise MalformedError(what="certificate", why="date") from error


def _digits(day: date) -> bytes:
    return bytes(int(digit) for digit in f"{day:%y%m%d}")


def _extensions(value: bytes) -> tuple[Extension, ...]:
    objects: Sequence[Tlv] = parse(value)
    if not objects or any(one.tag != EXTENSION for one in objects):
        raise MalformedError(what="certificate", why="extensions")
    found = tuple(Extension.parse(one.value) for one in objects)
    if len({one.oid for one in found}) != len(found):
        raise MalformedError(what="certificate", why="an extension twice")
    return found


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """A key by which certificates may be checked, and what its chain allows. `key` always has a curve."""

    holder: str
    key: PublicKey
    chat: Chat
    effective: date
    expiration: date

    @classmethod
    def of(cls, anchor: Certificate) -> Self:
        """Whoever calls this trusts the certificate without a check. Raises CertificateError for one that is none of
        a country's CA, or has no domain parameters."""
        if anchor.chat.role is not Role.CVCA or anchor.key.curve is None:
            raise CertificateError(why="no anchor")
        return cls(
            holder=anchor.holder, key=anchor.key, chat=anchor.chat, effective=anchor.effective,
            expiration=anchor.expiration,
        )  # fmt: skip


def check(certificate: Certificate, issuer: Trusted, *, today: date) -> Trusted:
    """A certificate by the one before it (TR-03110-3 §2.5.2). Raises CertificateError, with `why`: authority, role,
    signature, expired, algorithm.

    Link certificates are good after their last day, since a card may not have seen a terminal for years. That a
    certificate is not yet valid is no reason: cards have no clock, and learn the day from just these dates.
    """
    role = certificate.chat.role
    if certificate.authority != issuer.holder:
        raise CertificateError(why="authority")
    if role not in MAY_ISSUE[issuer.chat.role]:
        raise CertificateError(why="role")
    key = certificate.key
    if key.curve is None:
        key = msgspec.structs.replace(key, curve=issuer.key.curve)
    if key.algorithm not in HASHES:
        raise CertificateError(why="algorithm")
    try:
        issuer.key.verify(certificate.signature, certificate.body)
        if key.curve is not None:
            key.curve.decode(key.point)
    except CryptoError as error:
        raise CertificateError(why="signature") from error
    is_link = role is Role.CVCA
    if certificate.expiration < today and not is_link:
        raise CertificateError(why="expired")
    rights = certificate.chat.rights if is_link else certificate.chat.rights & issuer.chat.rights
    return Trusted(
        holder=certificate.holder, key=key, chat=Chat(rights, role), effective=certificate.effective,
        expiration=certificate.expiration,
    )  # fmt: skip


def path(certificates: Iterable[Certificate], *, start: str) -> tuple[Certificate, ...]:
    """Certificates in the order in which a card takes them, from the reference that it knows to the one terminal.

    Raises CertificateError where no path leads there, or to more than one terminal.
    """
    given = tuple(certificates)
    if len(given) > MOST_CERTIFICATES:
        raise CertificateError(why="too many")
    terminals = [one for one in given if one.chat.role is Role.TERMINAL]
    if len(terminals) != 1:
        raise CertificateError(why="not one terminal")
    issuers = {one.holder: one for one in given if one.chat.role is not Role.TERMINAL and one.holder != one.authority}
    found = [terminals[0]]
    while found[0].authority != start:
        issuer = issuers.pop(found[0].authority, None)
        if issuer is None:
            raise CertificateError(why="no path")
        found.insert(0, issuer)
    return tuple(found)


class CertificateDescription(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands behind a terminal, in words for people (TR-03110-3 §C.3.1). Tags are EXPLICIT.

    `terms`: text for the plain and the HTML form, bytes of a file for PDF. `communication_certificates`: digests of
    the TLS certificates by which the service may be reached.
    """

    kind: bytes = PLAIN_FORMAT
    issuer_name: str
    issuer_url: str = ""
    subject_name: str
    subject_url: str = ""
    terms: str | bytes
    redirect_url: str = ""
    communication_certificates: tuple[bytes, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises MalformedError."""
        if len(data) > MOST_DESCRIPTION_BYTES:
            raise MalformedError(what="description", why="too long")
        objects = parse(only(data, 0x30))
        tags = [one.tag for one in objects]
        fields = {one.tag: one.value for one in objects}
        if tags[:1] != [OID] or tags != sorted(set(tags)) or not {0xA1, 0xA3, 0xA5} <= set(tags) <= {OID, *_FIELDS}:
            raise MalformedError(what="description", why="not its fields in their order")
        texts = {name: _string(fields[tag], inner) for tag, (name, inner) in _FIELDS.items() if inner and tag in fields}
        kind = fields[OID]
        if kind not in _TERMS:
            raise MalformedError(what="description", why="form")
        terms: str | bytes = (
            only(fields[0xA5], _TERMS[kind]) if kind == PDF_FORMAT else _string(fields[0xA5], _TERMS[kind])
        )
        return cls(kind=kind, terms=terms, communication_certificates=_digests(fields.get(0xA7)), **texts)

    def encode(self) -> bytes:
        """DER, whose digest stands in the certificate."""
        terms = self.terms if isinstance(self.terms, bytes) else self.terms.encode()
        values = {0xA5: tlv(_TERMS[self.kind], terms)}
        for tag, (name, inner) in _FIELDS.items():
            if inner and getattr(self, name):
                values[tag] = tlv(inner, getattr(self, name).encode())
        if self.communication_certificates:
            values[0xA7] = tlv(0x31, *sorted(tlv(0x04, digest) for digest in self.communication_certificates))
        return tlv(0x30, tlv(OID, self.kind), *(tlv(tag, value) for tag, value in sorted(values.items())))

    def extension(self, algorithm: bytes = TA_ECDSA_SHA_256) -> Extension:
        """What binds it to a certificate: its digest, by the hash of the signature's algorithm."""
        return Extension(ID_DESCRIPTION, (_digest(self.encode(), algorithm),))


def describes(description: bytes, certificate: Certificate) -> bool:
    """Whether this is the description that the certificate was issued with."""
    wanted = certificate.extension(ID_DESCRIPTION)
    return certificate.key.algorithm in HASHES and wanted == (_digest(description, certificate.key.algorithm),)


def _digest(data: bytes, algorithm: bytes) -> bytes:
    digest = hashes.Hash(HASHES[algorithm]())
    digest.update(data)
    return digest.finalize()


#: Tag of a field → its name and the tag of the string in it; none for what is no string of one kind.
_FIELDS: Mapping[int, tuple[str, int]] = {
    0xA1: ("issuer_name", 0x0C),
    0xA2: ("issuer_url", 0x13),
    0xA3: ("subject_name", 0x0C),
    0xA4: ("subject_url", 0x13),
    0xA5: ("terms", 0),
    0xA6: ("redirect_url", 0x13),
    0xA7: ("communication_certificates", 0),
}
_TERMS: Mapping[bytes, int] = {PLAIN_FORMAT: 0x0C, HTML_FORMAT: 0x16, PDF_FORMAT: 0x04}


def _string(data: bytes, tag: int) -> str:
    try:
        return only(data, tag).decode("utf-8" if tag == 0x0C else "ascii")
    except UnicodeDecodeError as error:
        raise MalformedError(what="description", why="letters") from error


def _digests(data: bytes | None) -> tuple[bytes, ...]:
    if data is None:
        return ()
    objects = parse(only(data, 0x31))
    if any(one.tag != 0x04 for one in objects):
        raise MalformedError(what="description", why="digests")
    return tuple(one.value for one in objects)
