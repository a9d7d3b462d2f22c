"""What is wrong with [eid.wallet]: said when the file is read, and before the town goes live."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from servicepunkt.core.applications.settings import ApplicationSettings
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant
from servicepunkt.eid.ready import WalletReady
from servicepunkt.eid.sessions.party import Party, WalletNotReadyError, fetch
from servicepunkt.eid.settings import EidSettings, WalletSettings, mistakes
from servicepunkt.eid.testing.wallet import FakeIssuer

if TYPE_CHECKING:
    from servicepunkt.core.db.embedded import Urls
    from servicepunkt.core.testing import FixedClock

GOOD = {"certificate": "file:wallet.pem", "key": "file:wallet-key.pem", "trust": "file:issuers.pem"}


def wrong(applications: Any = None, **wallet: Any) -> list[tuple[str, str]]:
    settings = EidSettings(wallet=WalletSettings(**(GOOD | wallet)))
    sections: dict[str, Any] = {"eid": settings, "applications": applications or ApplicationSettings()}
    ctx = TenantContext(id=1, slug="alpha", name="Alpha", settings=sections)
    draft = TenantDraft(None, ctx, Catalogue(), None)  # type: ignore[arg-type]
    return [(place, said.rule.code) for place, said in mistakes(draft)]


def test_a_section_that_is_well() -> None:
    assert wrong() == []
    assert wrong(certificate="env:TENANT_ALPHA__WALLET", scheme="haip-vp", formats=("dc+sd-jwt",)) == []


@pytest.mark.parametrize(
    ("wallet", "expected"),
    [
        ({"key": "-----BEGIN PRIVATE KEY-----"}, [("wallet.key", "SP4423")]),
        ({"certificate": "file:../wallet.pem"}, [("wallet.certificate", "SP4423")]),
        ({"trust": "env:TENANT_BETA__LIST"}, [("wallet.trust", "SP4423")]),
        ({"formats": ()}, [("wallet.formats", "SP4441")]),
        ({"formats": ("dc+sd-jwt", "dc+sd-jwt")}, [("wallet.formats", "SP4441")]),
        ({"scheme": "https"}, [("wallet.scheme", "SP4443")]),
    ],
)
def test_what_is_wrong_is_named(wallet: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert wrong(**wallet) == expected


@pytest.mark.parametrize(("source", "expected"), [("doctoral_degree", [("wallet", "SP4431")]), ("family_names", [])])
def test_a_form_that_needs_what_no_pid_says(form: dict[str, Any], source: str, expected: list[tuple[str, str]]) -> None:
    forms = {"forms": [form | {"fields": [form["fields"][0] | {"from": source}]}], "email": "office@example.org"}
    assert wrong(applications=msgspec.convert(forms, ApplicationSettings)) == expected


def test_a_form_for_people_of_a_municipality(form: dict[str, Any]) -> None:
    forms = {"forms": [form | {"community": "02760611"}], "email": "office@example.org"}
    assert wrong(applications=msgspec.convert(forms, ApplicationSettings)) == [("wallet", "SP4431")]


def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cbor2", None)
    monkeypatch.setattr("servicepunkt.eid.settings.find_spec", lambda name: None)
    assert wrong() == [("wallet.formats", "SP4442")]
    assert wrong(formats=("dc+sd-jwt",)) == []


@pytest.mark.parametrize(
    "wallet", [{"prefix": "did"}, {"level": 4}, {"scheme": "Open ID"}, {"formats": ["jwt_vc"]}, {"more": 1}]
)
def test_what_a_schema_refuses(wallet: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"wallet": GOOD | wallet}, EidSettings)


# --- before going live ----------------------------------------------------------------------------------------


@pytest.fixture
async def look(
    deployment: Deployment, urls: Urls, clock: FixedClock, tmp_path: Path, write_party: Callable[..., None]
) -> Callable[..., Any]:
    """The codes of what is found. `change` is done to the town's secrets."""
    issuer = FakeIssuer(now=clock.now(), name="Musterland")

    async def found(
        change: Callable[[Path], None] = lambda folder: None,
        *,
        hosts: tuple[str, ...] = (),
        host: str = "stadt.example",
        issuer: FakeIssuer = issuer,
        **wallet: Any,
    ) -> list[str]:
        write_party(tmp_path, "alpha", issuer, clock, host=host)
        change(tmp_path / "secrets" / "alpha")
        ctx = await make_tenant(
            deployment,
            urls.owner,
            "alpha",
            plugins=["eid"],
            hosts=list(hosts),
            settings={"eid": {"wallet": GOOD | wallet}},
        )
        async with deployment.database.tenant(ctx) as tx:
            return [said.rule.code for said in await WalletReady(ctx, tmp_path).look(tx)]

    return found


async def test_a_town_that_is_ready(look: Callable[..., Any]) -> None:
    assert await look() == []
    assert await look(prefix="x509_san_dns", hosts=("Stadt.example",)) == []


async def test_what_keeps_a_town_back(look: Callable[..., Any], clock: FixedClock) -> None:
    def other_key(folder: Path) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        (folder / "wallet-key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def listed(until: timedelta) -> Callable[[Path], None]:
        def write(folder: Path) -> None:
            now, issuer = clock.now(), FakeIssuer(now=clock.now(), name="Musterland")
            der = base64.b64encode(issuer.certificate.public_bytes(Encoding.DER)).decode()
            table = {
                "issued": int(now.timestamp()) - 60,
                "next_update": int((now + until).timestamp()),
                "anchors": [{"name": "Musterland", "uses": ["pid", "status"], "certificate": der}],
            }
            (folder / "issuers.pem").write_text(json.dumps(table))

        return write

    assert await look(lambda folder: (folder / "wallet.pem").unlink()) == ["SP4444"]
    assert await look(lambda folder: (folder / "wallet.pem").write_text("-----BEGIN NOTHING")) == ["SP4444"]  # type: ignore[func-returns-value]
    assert await look(lambda folder: (folder / "issuers.pem").write_text("{")) == ["SP4444"]  # type: ignore[func-returns-value]
    assert await look(other_key) == ["SP4444"]
    assert await look(listed(timedelta(days=1))) == []
    assert await look(listed(timedelta(days=-1))) == ["SP4444"]
    assert await look(prefix="x509_san_dns", hosts=("other.example",)) == ["SP4449"]
    assert await look(issuer=FakeIssuer(now=clock.now())) == ["SP4450"]
    assert await look(certificate="file:issuers.pem") == ["SP4445"]
    assert await look(certificate="file:issuers.pem", prefix="x509_san_dns") == ["SP4448", "SP4445"]


async def test_a_certificate_that_ends(look: Callable[..., Any], clock: FixedClock) -> None:
    def later(days: float) -> Callable[[Path], None]:
        def go(folder: Path) -> None:
            clock.forward(days=days)

        return go

    assert await look(later(364)) == ["SP4447"]
    assert await look(later(400)) == ["SP4446"]


async def test_a_town_without_a_wallet(deployment: Deployment, town: TenantContext) -> None:
    async with deployment.database.tenant(town) as tx:
        assert await WalletReady(town).look(tx) == []


def test_what_is_said_of_a_bad_key_does_not_quote_it(tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / "alpha"
    folder.mkdir(parents=True)
    (folder / "wallet-key.pem").write_text("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n")
    with pytest.raises(WalletNotReadyError) as caught:
        Party(WalletSettings(**GOOD), slug="alpha", home=tmp_path).key()
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("uri", ["https://127.0.0.1:1/list", "https://[::1", "http://\udcff/"])
def test_a_list_that_is_out_of_reach(uri: str) -> None:
    with pytest.raises(OSError, match=r"Error|URL"):
        fetch(uri)
