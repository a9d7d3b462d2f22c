"""Sign-in at the city's OpenID provider: the honest way, and every lie that somebody in between could tell."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog.testing
from joserfc import jwk

from servicepunkt.core.audit import store as audit
from servicepunkt.core.openid.provider import OpenIdProviders
from servicepunkt.core.people import store as people
from servicepunkt.core.people.model import Account
from servicepunkt.core.people.ready import PeopleReady
from servicepunkt.core.testing import make_tenant

SPEC = importlib.util.spec_from_file_location("openid_fake", Path(__file__).with_name("provider.py"))
assert SPEC is not None
assert SPEC.loader is not None
fake = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fake)

ROLES = {"desk": ["clerk"], "chiefs": ["city_admin"], "quay": ["point_staff@harbour"]}
SIGN_IN = "/t/alpha/staff/sign-in"


def section(provider: Any, **values: Any) -> dict[str, Any]:
    secret = {"client_secret": "file:openid"}
    return {"oidc": {"issuer": provider.issuer, "client_id": fake.CLIENT, "roles": ROLES, **secret, **values}}


@pytest.fixture
async def provider(here: Any) -> AsyncIterator[Any]:
    """A provider, and the first town with it."""
    clock, settings = here.deployment.clock, here.deployment.settings
    for slug in ("alpha", "beta"):
        secret = settings.home / "secrets" / slug / "openid"
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text(fake.SECRET)
    with fake.listening(lambda: clock.now().timestamp()) as found:
        await make_tenant(
            here.deployment, settings.owner_database_url, "alpha", name="Seeburg", settings=section(found)
        )
        yield found


async def away(visit: Any, provider: Any, path: str = "/t/alpha/staff/openid") -> dict[str, str]:
    """Somebody is sent to the provider, and what the provider is told."""
    sent = await visit.get(path)
    assert sent.status_code == 303, sent.text
    assert sent.headers["location"].startswith(f"{provider.issuer}/auth?")
    told: dict[str, str] = provider.sent_to(sent.headers["location"])
    return told


async def back(visit: Any, told: dict[str, str], **values: str) -> Any:
    given = {"code": "once", "state": told["state"]} | values
    return await visit.get("/t/alpha/staff/openid/return", params=given)


async def go(visit: Any, provider: Any, **values: str) -> Any:
    return await back(visit, await away(visit, provider), **values)


async def accounts(here: Any) -> dict[str, Account]:
    async with here.deployment.database.tenant(here.alpha) as tx:
        return {one.name: one for one in await people.all_accounts(tx)}


async def actions(here: Any) -> list[str]:
    async with here.deployment.database.tenant(here.alpha) as tx:
        return [entry.action async for entry in audit.entries(tx)]


async def test_somebody_for_whom_the_provider_vouches_comes_in(here: Any, visit: Any, provider: Any) -> None:
    told = await away(visit, provider, "/t/alpha/staff/openid?next=/staff/account")
    assert told["redirect_uri"] == "http://127.0.0.1:8600/t/alpha/staff/openid/return"
    assert (told["response_type"], told["code_challenge_method"], told["scope"]) == ("code", "S256", "openid profile")
    arrived = await back(visit, told, iss=provider.issuer)
    assert arrived.status_code == 200
    assert 'content="0; url=/t/alpha/staff/account"' in arrived.text
    assert "Anna Amt" in (await visit.get("/t/alpha/staff/account")).text
    assert (await visit.get("/t/alpha/staff/deposits")).status_code == 404, "no plugin of ours, but no refusal either"
    (posted,) = provider.posted
    digest = hashlib.sha256(posted["code_verifier"][0].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == told["code_challenge"]
    found = (await accounts(here))["Anna Amt"]
    assert (found.roles, found.password_hash, found.login[:7]) == (("clerk",), "", "openid-")
    assert "4711" not in repr(found)
    assert (await actions(here))[-2:] == ["account.create", "account.sign_in"]


async def test_nothing_of_a_person_is_in_a_log_or_an_address(here: Any, visit: Any, provider: Any) -> None:
    provider.person |= {"groups": ["strangers"]}
    with structlog.testing.capture_logs() as logs:
        told = await away(visit, provider)
        refused = await back(visit, told)
    assert refused.status_code == 403
    said = json.dumps([logs, told], default=str)
    assert "SP7022" in said
    assert not any(secret in said for secret in ("Anna", "4711", fake.SECRET))


async def test_roles_and_name_are_the_providers_each_time(here: Any, visit: Any, provider: Any) -> None:
    assert (await go(visit, provider)).status_code == 200
    first = (await accounts(here))["Anna Amt"]
    provider.person |= {"name": "Anna Berg", "groups": ["chiefs", "unknown", "quay", 7]}
    assert (await go(visit, provider)).status_code == 200
    second = (await accounts(here))["Anna Berg"]
    assert (second.id, second.roles) == (first.id, ("city_admin", "point_staff@harbour"))
    assert "account.roles" in await actions(here)
    provider.person |= {"groups": []}
    refused = await go(visit, provider)
    assert (refused.status_code, "SP7022" in refused.text) == (403, True)
    assert (await accounts(here))["Anna Berg"].roles == ()
    assert (await visit.get("/t/alpha/staff")).status_code == 403, "the session that was open may do nothing more"


async def test_who_was_switched_off_here_stays_out(here: Any, visit: Any, provider: Any) -> None:
    assert (await go(visit, provider)).status_code == 200
    found = (await accounts(here))["Anna Amt"]
    async with here.deployment.database.tenant(here.alpha) as tx:
        await people.update(tx, found.id, active=False)
    assert (await go(visit, provider)).status_code == 403


async def test_the_second_factor_of_a_city_account_is_the_citys(here: Any, visit: Any, provider: Any) -> None:
    async def said() -> list[str]:
        async with here.deployment.database.tenant(here.alpha) as tx:
            return [str(one) for one in await PeopleReady().look(tx)]

    before = await said()
    await go(visit, provider)
    assert await said() == before


async def test_no_password_opens_an_account_of_the_provider(here: Any, visit: Any, provider: Any) -> None:
    await go(visit, provider)
    login = (await accounts(here))["Anna Amt"].login
    for password in ("nobody has this password", "", " "):
        refused = await visit.submit(SIGN_IN, SIGN_IN, login=login, password=password)
        assert refused.status_code in (403, 422)


async def test_claims_that_the_id_token_leaves_out_are_asked_for(here: Any, visit: Any, provider: Any) -> None:
    provider.userinfo = provider.person
    provider.person = {"sub": "4711"}
    assert (await go(visit, provider)).status_code == 200
    assert (await accounts(here))["Anna Amt"].roles == ("clerk",)
    provider.userinfo = {"sub": "4712", "name": "Somebody else", "groups": ["chiefs"]}
    assert (await go(visit, provider)).status_code == 403


def unsigned(claims: dict[str, Any]) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}."


def by_public_key(provider: Any) -> Callable[[dict[str, Any]], str]:
    """What only the provider should sign, with the key that everybody has as if it were a shared secret."""
    pem = jwk.RSAKey.import_key(provider.key.as_dict(private=False)).as_pem(private=False)
    secret = base64.urlsafe_b64encode(pem).rstrip(b"=").decode()

    def sign(claims: dict[str, Any]) -> str:
        import hmac

        def part(raw: bytes) -> str:
            return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

        signed = f"{part(json.dumps({'alg': 'HS256', 'kid': 'first'}).encode())}.{part(json.dumps(claims).encode())}"
        return f"{signed}.{part(hmac.digest(base64.urlsafe_b64decode(secret + '=='), signed.encode(), 'sha256'))}"

    return sign


LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://other.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "for two, made for the other": {"aud": ["punkt", "other"], "azp": "other"},
    "for two, made for nobody": {"aud": ["punkt", "other"]},
    "made for the other": {"azp": "other"},
    "another nonce": {"nonce": "other"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "never expires": {"exp": None},
    "of the future": {"iat": 99_999_999_999},
    "of long ago": {"iat": 1},
    "of nobody": {"sub": None},
    "of an empty name": {"sub": ""},
    "of a number": {"sub": 4711},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_an_id_token_that_lies_is_refused(here: Any, visit: Any, provider: Any, lie: dict[str, Any]) -> None:
    provider.claims = lie
    refused = await go(visit, provider)
    assert (refused.status_code, "SP7021" in refused.text) == (403, True)
    assert "Anna Amt" not in await accounts(here)
    assert "sp_session" not in refused.cookies


@pytest.mark.parametrize("forged", ["none", "HS256 by the public key", "another key", "another's kid", "no token"])
async def test_a_signature_that_is_none_is_refused(here: Any, visit: Any, provider: Any, forged: str) -> None:
    other = jwk.RSAKey.generate_key(2048, {"kid": "first"}, private=True)
    provider.sign = {
        "none": unsigned,
        "HS256 by the public key": by_public_key(provider),
        "another key": lambda claims: provider.signed(claims, key=other),
        "another's kid": lambda claims: provider.signed(claims, kid="second"),
        "no token": lambda claims: "once.upon.a time",
    }[forged]
    refused = await go(visit, provider)
    assert (refused.status_code, "SP7021" in refused.text) == (403, True)
    assert "Anna Amt" not in await accounts(here)


@pytest.mark.parametrize(
    ("alg", "make"),
    [
        ("PS256", lambda: jwk.RSAKey.generate_key(2048, {"kid": "first"}, private=True)),
        ("ES256", lambda: jwk.ECKey.generate_key("P-256", {"kid": "first"}, private=True)),
        ("EdDSA", lambda: jwk.OKPKey.generate_key("Ed25519", {"kid": "first"}, private=True)),
    ],
)
async def test_the_other_algorithms_of_the_list_work(visit: Any, provider: Any, alg: str, make: Any) -> None:
    provider.key = make()
    provider.sign = lambda claims: provider.signed(claims, alg=alg)
    assert (await go(visit, provider)).status_code == 200


async def test_an_answer_is_good_once_and_in_one_browser(here: Any, visit: Any, provider: Any) -> None:
    told = await away(visit, provider)
    held = visit.client.cookies["sp_handshake"]
    async with here.client() as stranger:
        assert (await back(stranger, told)).status_code == 403, "a code that was put into another browser"
    assert (await back(visit, told)).status_code == 200
    visit.client.cookies.set("sp_handshake", held, domain="points.example.org", path="/t/alpha")
    replayed = await back(visit, told)
    assert (replayed.status_code, "SP7024" in replayed.text) == (403, True)
    assert len(provider.posted) == 1


async def test_a_state_that_is_another_ones_is_refused_and_used_up(visit: Any, provider: Any) -> None:
    told = await away(visit, provider)
    refused = await back(visit, told, state="other")
    assert (refused.status_code, "SP7021" in refused.text) == (403, True)
    assert (await back(visit, told)).status_code == 403
    assert not provider.posted


async def test_a_login_takes_ten_minutes_at_most(here: Any, visit: Any, provider: Any) -> None:
    told = await away(visit, provider)
    here.deployment.clock.forward(minutes=11)
    assert "SP7024" in (await back(visit, told)).text


async def test_the_answer_of_another_provider_is_a_mix_up(visit: Any, provider: Any) -> None:
    assert (await go(visit, provider, iss="https://other.example")).status_code == 403
    assert not provider.posted


async def test_a_provider_that_says_its_name_has_to_say_it(here: Any, visit: Any, provider: Any) -> None:
    provider.document = {"authorization_response_iss_parameter_supported": True}
    assert (await go(visit, provider)).status_code == 403
    assert (await go(visit, provider, iss=provider.issuer)).status_code == 200


async def test_who_changes_the_provider_meanwhile_gets_no_code(here: Any, visit: Any, provider: Any) -> None:
    told = await away(visit, provider)
    with fake.listening() as other:
        owner = here.deployment.settings.owner_database_url
        await make_tenant(here.deployment, owner, "alpha", name="Seeburg", settings=section(other))
        assert (await back(visit, told)).status_code == 403
        assert not other.posted


async def test_no_is_a_clear_page(visit: Any, provider: Any) -> None:
    refused = await go(visit, provider, error="access_denied")
    assert refused.status_code == 403
    assert "Die Anmeldung mit Ihrem Konto bei der Stadt hat nicht geklappt." in refused.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/.well-known/openid-configuration", (200, b"[" * 100_000)),
        ("/.well-known/openid-configuration", (200, b" " * 300_000)),
        ("/.well-known/openid-configuration", (302, b"")),
        ("/.well-known/openid-configuration", (500, b"")),
        ("/keys", (200, b'{"keys": []}')),
        ("/keys", (200, b'{"keys": [{"kty": "RSA"}]}')),
        ("/keys", (200, b'{"keys": 7}')),
    ],
)
async def test_a_provider_that_does_not_answer_leaves_the_password(
    visit: Any, provider: Any, path: str, body: tuple[int, bytes]
) -> None:
    provider.bodies[path] = body
    provider.headers = {"location": f"{provider.issuer}/other"} if body[0] == 302 else {}
    refused = await visit.get("/t/alpha/staff/openid")
    assert (refused.status_code, "SP7020" in refused.text) == (503, True)
    assert "/other" not in provider.asked
    assert (await visit.sign_in()).status_code == 303


@pytest.mark.parametrize(("body", "status"), [((200, b" " * 300_000), 503), ((500, b""), 503), ((400, b""), 403)])
async def test_a_token_endpoint_that_fails(visit: Any, provider: Any, body: tuple[int, bytes], status: int) -> None:
    provider.bodies["/token"] = body
    assert (await go(visit, provider)).status_code == status


async def test_a_slow_provider_is_left_alone(here: Any, visit: Any, provider: Any) -> None:
    here.deployment.openid = OpenIdProviders(here.deployment.clock, seconds=0.1, total=0.2)
    provider.slow = "/token"
    assert (await go(visit, provider)).status_code == 503


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": "http://127.0.0.1.elsewhere.example/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": 7},
    ],
)
async def test_a_discovery_document_that_leads_away_is_refused(visit: Any, provider: Any, document: Any) -> None:
    provider.document = document
    assert (await visit.get("/t/alpha/staff/openid")).status_code == 503


async def test_http_is_for_a_rehearsal(here: Any, visit: Any, provider: Any) -> None:
    owner = here.deployment.settings.owner_database_url
    assert (await go(visit, provider)).status_code == 200
    await make_tenant(here.deployment, owner, "alpha", name="Seeburg", state="live", settings=section(provider))
    assert (await visit.get("/t/alpha/staff/openid")).status_code == 503


async def test_new_keys_are_looked_at_once_a_minute(here: Any, visit: Any, provider: Any) -> None:
    assert (await go(visit, provider)).status_code == 200
    provider.key = jwk.RSAKey.generate_key(2048, {"kid": "second"}, private=True)
    provider.sign = lambda claims: provider.signed(claims, kid="second")
    assert (await go(visit, provider)).status_code == 403, "the keys were looked at a moment ago"
    here.deployment.clock.forward(minutes=2)
    assert (await go(visit, provider)).status_code == 200
    provider.sign = lambda claims: provider.signed(claims, kid="third")
    here.deployment.clock.forward(minutes=2)
    before = provider.asked.count("/keys")
    for _ in range(3):
        assert (await go(visit, provider)).status_code == 403
    assert provider.asked.count("/keys") == before + 1


async def test_discovery_is_kept_for_an_hour(here: Any, visit: Any, provider: Any) -> None:
    for _ in range(3):
        await away(visit, provider)
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]
    here.deployment.clock.forward(minutes=61)
    await away(visit, provider)
    assert len(provider.asked) == 4


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "/t/beta/staff"])
async def test_nobody_is_led_elsewhere(visit: Any, provider: Any, target: str) -> None:
    sent = await visit.get("/t/alpha/staff/openid", params={"next": target})
    arrived = await back(visit, provider.sent_to(sent.headers["location"]))
    assert 'content="0; url=/t/alpha/staff"' in arrived.text


async def test_local_accounts_can_be_off(here: Any, visit: Any, provider: Any) -> None:
    owner = here.deployment.settings.owner_database_url
    assert 'name="password"' in (await visit.get(SIGN_IN)).text
    token = {"page": "/t/beta/staff/sign-in"}
    await make_tenant(here.deployment, owner, "alpha", name="Seeburg", settings=section(provider, local_accounts=False))
    assert 'name="password"' not in (await visit.get(SIGN_IN)).text
    refused = await visit.submit(token["page"], SIGN_IN, login="boss", password="a long sentence to sign in")
    assert refused.status_code == 403
    assert (await go(visit, provider)).status_code == 200


async def test_signing_out_leads_on_to_the_provider(here: Any, visit: Any, provider: Any) -> None:
    provider.document = {"end_session_endpoint": f"{provider.issuer}/out"}
    await go(visit, provider)
    out = await visit.submit("/t/alpha/staff", "/t/alpha/staff/sign-out")
    assert out.status_code == 200
    (address,) = {part for part in out.text.split('"') if part.startswith(f"{provider.issuer}/out?")}
    query = parse_qs(urlsplit(address.replace("&amp;", "&")).query)
    assert query == {
        "client_id": [fake.CLIENT],
        "post_logout_redirect_uri": ["http://127.0.0.1:8600/t/alpha/staff/sign-in"],
    }
    assert (await visit.get("/t/alpha/staff")).status_code == 303
    await visit.sign_in()
    assert (await visit.submit("/t/alpha/staff", "/t/alpha/staff/sign-out")).status_code == 303


async def test_a_town_without_a_provider_has_no_such_page(visit: Any, provider: Any) -> None:
    assert (await visit.get("/t/beta/staff/openid")).status_code == 404
