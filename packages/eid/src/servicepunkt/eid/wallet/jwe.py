"""The encrypted answer: JSON Web Encryption with ECDH-ES directly agreed and AES-GCM (RFC 7516, 7518 §4.6). Pure.

Nothing else is taken: OpenID4VP §8.3 lets the verifier say what it reads, and this is all that it says.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet import jose
from servicepunkt.eid.wallet.errors import AlgorithmError, DecryptionError

ALGORITHM = "ECDH-ES"
#: Encryption → bytes of its key.
ENCRYPTIONS: Mapping[str, int] = {"A128GCM": 16, "A256GCM": 32}
WHAT = "encrypted answer"


def decrypt(token: str, key: ec.EllipticCurvePrivateKey, kid: str) -> bytes:
    """What is in a compact token for this key. Raises MalformedError, AlgorithmError, DecryptionError."""
    if len(token) > 2 * jose.MOST_BYTES:
        raise MalformedError(what=WHAT, why="too long")
    parts = token.split(".")
    if len(parts) != 5 or parts[1]:
        raise MalformedError(what=WHAT, why="not five parts, the second empty")
    header = jose.read_object(jose.decode64(parts[0], WHAT), WHAT)
    size = ENCRYPTIONS.get(str(header.get("enc")))
    if header.get("alg") != ALGORITHM or size is None:
        raise AlgorithmError(what=WHAT)
    if changing := {"crit", "zip"} & header.keys():
        raise MalformedError(what=WHAT, why=f"header {min(changing)}")
    if header.get("kid") != kid:
        raise DecryptionError(what="kid")
    ephemeral = jose.public_key(header.get("epk"), WHAT)
    if ephemeral.curve.name != key.curve.name:
        raise MalformedError(what=WHAT, why="a key of another curve")
    apu, apv = (_party(header.get(name)) for name in ("apu", "apv"))
    agreed = derive(key.exchange(ec.ECDH(), ephemeral), str(header["enc"]), size, apu=apu, apv=apv)
    nonce, secret, tag = (jose.decode64(part, WHAT) for part in parts[2:])
    if len(nonce) != 12 or len(tag) != 16:
        raise MalformedError(what=WHAT, why="a nonce or tag of another length")
    try:
        return AESGCM(agreed).decrypt(nonce, secret + tag, parts[0].encode())
    except InvalidTag:
        raise DecryptionError(what="tag") from None


def _party(value: object) -> bytes:
    return b"" if value is None else jose.decode64(jose.text(value, WHAT, 1_000), WHAT)


def derive(shared: bytes, enc: str, size: int, *, apu: bytes = b"", apv: bytes = b"") -> bytes:
    """The key of the content: the Concat KDF of RFC 7518 §4.6.2."""
    info = b"".join(len(part).to_bytes(4, "big") + part for part in (enc.encode(), apu, apv))
    return ConcatKDFHash(hashes.SHA256(), size, info + (8 * size).to_bytes(4, "big")).derive(shared)
