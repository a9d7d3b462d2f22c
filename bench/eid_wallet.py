"""The wallet's verifier: presentations a second in both formats, against sd-jwt and pymdoccbor at the same documents.

In turns, one core. The peers do less: sd-jwt is given the issuer's key, where the product takes it from a certificate
and walks to its authority; pymdoccbor verifies the issuer's part and knows no device. So the mdoc is measured twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime

import _report as report
from cryptography.hazmat.primitives.serialization import Encoding

from servicepunkt.eid.testing.wallet import ERIKA, MDOC, SD_JWT, FakeIssuer, FakeWallet, fake_client_certificate
from servicepunkt.eid.wallet import attributes, cbor, jose, mdoc, sdjwt
from servicepunkt.eid.wallet.request import Client
from servicepunkt.eid.wallet.status import StatusLists
from servicepunkt.eid.wallet.trust import TrustAnchors
from servicepunkt.eid.wallet.verifier import PresentationSession, Verifier

ROUNDS = 200
ASK = attributes.Ask(required=("given_names", "family_names", "date_of_birth", "nationality", "address"))
NOW = datetime.now(UTC)
Timed = list[float]


class Town:
    """A verifier, an issuer, and a presentation of each format for one request."""

    def __init__(self) -> None:
        self.issuer = FakeIssuer(now=NOW)
        self.anchors = TrustAnchors.of(self.issuer.certificate)
        key, certificate = fake_client_certificate(now=NOW)
        self.verifier = Verifier(
            client=Client(key, (certificate,)),
            anchors=self.anchors,
            address="https://stadt.example/wallet",
            statuses=StatusLists(self.issuer.fetch, self.anchors),
        )
        self.asked = self.request(self.begin())
        self.shown = {one: self.present(one) for one in (SD_JWT, MDOC)}

    def begin(self) -> PresentationSession:
        return self.verifier.begin(ASK, now=NOW, binding="terminal", random=os.urandom)

    def http(self, method: str, url: str, body: bytes | None) -> bytes:
        del method
        return self.verifier.request(url.rsplit("/", 1)[1], now=NOW, body=body).encode()

    def request(self, session: PresentationSession) -> object:
        return FakeWallet(self.issuer, now=NOW).fetch(session.qr, self.http)

    def present(self, kind: str) -> str:
        [[shown]] = FakeWallet(self.issuer, now=NOW, format=kind).present(self.asked).values()
        return shown

    def verify_sd_jwt(self) -> None:
        claims = self.asked.claims
        found = sdjwt.verify(
            self.shown[SD_JWT], anchors=self.anchors, vct=attributes.VCTS, audience=claims["client_id"],
            nonce=claims["nonce"], now=NOW,
        )  # fmt: skip
        assert found.claims["family_name"] == ERIKA["family_name"]

    def verify_mdoc(self) -> None:
        claims = self.asked.claims
        transcript = mdoc.session_transcript(
            claims["client_id"], claims["nonce"], self.asked.thumbprint, claims["response_uri"]
        )
        data = jose.decode64(self.shown[MDOC], "mdoc")
        assert mdoc.verify(
            data, anchors=self.anchors, doctype=attributes.DOCTYPE, transcript=transcript, now=NOW
        ).claims

    def verify_issuer(self) -> None:
        [document] = cbor.loads(jose.decode64(self.shown[MDOC], "mdoc"), "mdoc")["documents"]
        assert mdoc.verify_issuer(document["issuerSigned"], anchors=self.anchors, now=NOW).claims

    def identify(self, kind: str) -> None:
        """The whole of it without the wallet's own work: request, decryption, presentation, status, identity."""
        session, wallet = self.begin(), FakeWallet(self.issuer, now=NOW, format=kind)
        body = wallet.answer(wallet.fetch(session.qr, self.http))
        started = time.process_time()
        session.receive(body, now=NOW)
        assert session.collect(binding="terminal", now=NOW)
        self.spent.append(time.process_time() - started)
        self.verifier.cancel(session.id)

    def identities(self, kind: str) -> float:
        """CPU seconds of the verifier for one answer."""
        self.spent: Timed = []
        for _ in range(20):
            self.identify(kind)
        return report.median(self.spent)


def timed(verify: Callable[[], None]) -> Timed:
    verify()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(ROUNDS):
        verify()
    return [(time.perf_counter() - wall) / ROUNDS, (time.process_time() - cpu) / ROUNDS]


def peers(python: str, town: Town) -> dict[str, Timed] | None:
    """What the peers need for the same documents, or None where they are not installed."""
    task = {
        "rounds": ROUNDS,
        "sd_jwt": town.shown[SD_JWT],
        "issuer_jwk": jose.jwk_of(town.issuer.key.public_key()),
        "audience": town.asked.claims["client_id"],
        "nonce": town.asked.claims["nonce"],
        "device_response": jose.decode64(town.shown[MDOC], "mdoc").hex(),
        "root": town.issuer.certificate.public_bytes(Encoding.PEM).decode(),
    }
    command = [python, str(report.folder() / "_wallet_peer.py")]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=False)
    if done.returncode:
        report.say(f"NOT MEASURED: {python} lacks sd-jwt or pymdoccbor ({done.stderr.strip().splitlines()[-1]})")
        return None
    return json.loads(done.stdout)


OURS = {
    "SD-JWT VC with key binding, certificates": ("sd_jwt", Town.verify_sd_jwt),
    "mdoc, issuer's part": ("mdoc", Town.verify_issuer),
    "mdoc, issuer's and device's part": ("mdoc", Town.verify_mdoc),
}
PEERS = {"sd_jwt": "sd-jwt, the issuer's key given", "mdoc": "pymdoccbor, issuer's part"}


def measure(options: report.Options) -> report.Result:
    town = Town()
    found: dict[str, list[Timed]] = {name: [] for name in (*OURS, *PEERS.values())}
    answers: dict[str, list[float]] = {SD_JWT: [], MDOC: []}
    for _ in range(options.runs):
        for name, (_, verify) in OURS.items():
            found[name].append(timed(lambda verify=verify: verify(town)))
        for peer, spent in (peers(options.peers, town) or {}).items():
            found[PEERS[peer]].append(spent)
        for kind, spent in answers.items():
            spent.append(town.identities(kind))
    report.say(f"{options.runs} rounds of {ROUNDS} verifications each")
    rows, figures = [], {}
    for name, rounds in found.items():
        if not rounds:
            continue
        cpu = [each[1] * 1e6 for each in rounds]
        other = PEERS[OURS[name][0]] if name in OURS else name
        times = [theirs[1] / ours[1] for ours, theirs in zip(rounds, found[other], strict=False)]
        elapsed = [1 / each[0] for each in rounds]
        rows.append([name, report.spread(elapsed), report.spread(cpu), report.spread(times, ",.2f") if times else "-"])
        if times:
            figures[f"{name}, times the peer's speed"] = report.median(times)
        figures[f"{name}, a second"] = report.median(elapsed)
    columns = ["what", "a second, median (min to max)", "CPU µs each", "times the speed of its peer, in CPU"]
    note = f"{options.runs} rounds of {ROUNDS}, in turns, one core; eight of sixteen claims shown."
    whole = [[kind, report.spread([1e3 * one for one in spent], ",.2f")] for kind, spent in answers.items()]
    return report.Result(
        [
            report.Table("Verifications", columns, rows, note),
            report.Table("From a wallet's answer to an identity", ["format", "CPU ms, median (min to max)"], whole,
                         "Decryption, presentation, status list (kept), attributes."),
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    report.main("eid_wallet", measure, runs=5)
