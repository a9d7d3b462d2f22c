"""sd-jwt and pymdoccbor at the same documents; imports nothing of the product, runs in any Python with bench/peers.txt.

Reads a task as JSON on standard input: {"rounds", "sd_jwt", "issuer_jwk", "audience", "nonce", "device_response" (hex),
"root" (PEM)}. Writes [elapsed, CPU] in seconds a verification, for each of the two.
"""

import json
import logging
import sys
import time

from cryptography import x509
from jwcrypto.jwk import JWK
from pymdoccbor.mdoc.verifier import MdocCbor
from sd_jwt.verifier import SDJWTVerifier


def main() -> None:
    logging.disable(logging.CRITICAL)
    task = json.load(sys.stdin)
    issuer, response = JWK(**task["issuer_jwk"]), bytes.fromhex(task["device_response"])
    root = x509.load_pem_x509_certificate(task["root"].encode())

    def sd_jwt() -> None:
        found = SDJWTVerifier(task["sd_jwt"], lambda *_: issuer, task["audience"], task["nonce"]).get_verified_payload()
        assert found["family_name"]

    def mdoc() -> None:
        found = MdocCbor()
        found.loads(response)
        assert found.verify([root])

    print(json.dumps({one.__name__: timed(one, task["rounds"]) for one in (sd_jwt, mdoc)}))


def timed(verify, rounds):
    verify()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        verify()
    return [(time.perf_counter() - wall) / rounds, (time.process_time() - cpu) / rounds]


if __name__ == "__main__":
    main()
