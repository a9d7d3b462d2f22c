"""From a form to the wallet and back, every step at another process; whatever is wrong ends it and leaves nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.core.identification import IdentityWish
from servicepunkt.eid.sessions import party, service, wallet
from servicepunkt.eid.sessions.model import LIFE
from servicepunkt.eid.sessions.wallet import WalletDoor, ask_of
from servicepunkt.eid.testing.wallet import ERIKA, MDOC, SD_JWT, Fault
from servicepunkt.web.qr import qr_once

if TYPE_CHECKING:
    from servicepunkt.core.testing import FixedClock

FORM = "application/x-www-form-urlencoded"
PRIVATE = ("ERIKA", "MUSTERMANN", "HEIDESTRASSE", "12.08.1964")


async def begun(towns: Any, place: str = "/k", slug: str = "alpha") -> tuple[Any, str, str]:
    """(person, path of the page that waits, code on it)"""
    hand = await towns.terminal(slug) if place else towns.browser(slug)
    path = await hand.begin(place)
    assert path.startswith(f"{place}/eid/wallet/")
    page = await hand.get(path)
    assert page.status_code == 200, page.text
    code = await towns.code(path, slug)
    assert qr_once(code) in page.text
    return hand, path, code


async def ended(towns: Any, listener: Any, path: str, code: str, slug: str = "alpha") -> None:
    """Nothing but the code is left, and it was told once."""
    row = await towns.row(path, slug)
    assert (row.state, row.refused_by, row.kept, row.found) == ("refused", code, None, None)
    assert listener.told == [(row.key, "refused")]
    async with towns.deployments[0].database.tenant(towns.ctx[slug]) as tx:
        assert await service.take(towns.deployments[0], tx, "wallet", row.key) is None


@pytest.mark.parametrize("kind", [SD_JWT, MDOC])
async def test_the_form_is_filled_in(towns: Any, listener: Any, kind: str, caplog: Any) -> None:
    hand, path, code = await begun(towns)
    await towns.scan(towns.wallet(format=kind), code)
    back = await hand.get(path)
    assert back.status_code == 303
    form = await hand.get(back.headers["location"])
    assert form.status_code == 303
    page = await hand.get(form.headers["location"])
    assert [datum for datum in PRIVATE if datum not in page.text] == []
    row = await towns.row(path)
    assert row is None
    assert [outcome for _, outcome in listener.told] == ["identified"]
    assert not any(datum in caplog.text for datum in (*PRIVATE, code))


async def test_a_page_says_what_is_asked_by_whom_and_why(towns: Any) -> None:
    hand, path, _ = await begun(towns)
    text = (await hand.get(path)).text
    for said in ("Alpha", "Familienname", "Vornamen", "Geburtsdatum", "freiwillig", "Führungszeugnis", "10 Minuten"):
        assert said in text, said
    assert "<noscript><meta http-equiv" in text
    digest = "open-10"
    assert f"seen={digest}" in text
    poll = {"hx-request": "true"}
    assert (await hand.get(f"{path}?seen={digest}", headers=poll)).status_code == 204
    assert (await hand.get(f"{path}?seen={digest}")).status_code == 200
    towns.clock.forward(minutes=1)
    assert (await hand.get(f"{path}?seen={digest}", headers=poll)).status_code == 200


async def test_the_page_hears_that_a_wallet_has_the_request(towns: Any) -> None:
    hand, path, code = await begun(towns)
    await towns.fetch(towns.wallet(), code)
    text = (await hand.get(path)).text
    assert "sp-wallet__code" not in text
    assert qr_once(code) not in text


FAULTS = {
    Fault.NONCE: "SP4320",
    Fault.AUDIENCE: "SP4320",
    Fault.HOLDER_KEY: "SP4320",
    Fault.DIGEST: "SP4314",
    Fault.ALG_NONE: "SP4301",
    Fault.DUPLICATE_CLAIMS: "SP4314",
    Fault.EXPIRED: "SP4311",
    Fault.REVOKED: "SP4312",
    Fault.UNTRUSTED: "SP4310",
    Fault.STATE: "SP4334",
    Fault.PLAIN: "SP4321",
    Fault.MISSING: "SP4321",
}


@pytest.mark.parametrize("kind", [SD_JWT, MDOC])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_wallet_that_misbehaves(
    towns: Any, listener: Any, refused: type[Any], fault: Fault, kind: str, caplog: Any
) -> None:
    hand, path, code = await begun(towns)
    with pytest.raises(refused) as caught:
        await towns.scan(towns.wallet(format=kind, fault=fault), code)
    assert (caught.value.status, caught.value.code) == (400, FAULTS[fault])
    await ended(towns, listener, path, FAULTS[fault])
    page = await hand.get(path)
    assert (page.status_code, FAULTS[fault] in page.text) == (200, True)
    assert not any(datum in page.text + caplog.text + str(caught.value) for datum in PRIVATE)


async def test_a_replay_of_another_session(towns: Any, listener: Any, refused: type[Any]) -> None:
    _, _, code = await begun(towns)
    shows = towns.wallet()
    await towns.scan(shows, code)
    shows.fault = Fault.REPLAY
    _, path, code = await begun(towns)
    with pytest.raises(refused, match="SP4320"):
        await towns.scan(shows, code)
    await ended(towns, listener, path, "SP4320")


async def test_who_declines_is_heard_and_may_begin_again(towns: Any, listener: Any) -> None:
    hand, path, code = await begun(towns)
    await towns.scan(towns.wallet(fault=Fault.DECLINED), code)
    await ended(towns, listener, path, "SP4322")
    page = await hand.get(path)
    assert "abgelehnt" in page.text
    again = await hand.submit(path, f"{path}/again")
    assert again.status_code == 303
    new = again.headers["location"].removeprefix(hand.prefix)
    assert new != path
    assert await towns.row(path) is None
    assert (await hand.get(new)).status_code == 200
    await towns.scan(towns.wallet(), await towns.code(new))
    assert (await hand.get(new)).status_code == 303
    assert [outcome for _, outcome in listener.told] == ["refused"]


async def test_a_code_that_is_scanned_twice(towns: Any, listener: Any, refused: type[Any]) -> None:
    hand, path, code = await begun(towns)
    first = towns.wallet()
    request = await towns.fetch(first, code)
    with pytest.raises(refused, match="SP4332"):
        await towns.fetch(towns.wallet(), code)
    await ended(towns, listener, path, "SP4332")
    with pytest.raises(refused, match="SP4332"):
        await towns.send(request.claims["response_uri"], first.answer(request))
    await ended(towns, listener, path, "SP4332")
    assert "zweimal" in (await hand.get(path)).text


@pytest.mark.parametrize("taken", [False, True])
async def test_an_answer_that_is_sent_twice(towns: Any, listener: Any, refused: type[Any], taken: bool) -> None:
    """Before the page has heard of the first one, and after."""
    hand, path, code = await begun(towns)
    sends = towns.wallet()
    request = await towns.fetch(sends, code)
    address, body = request.claims["response_uri"], sends.answer(request)
    assert await towns.send(address, body) == {}
    if taken:
        assert (await hand.get(path)).status_code == 303
    with pytest.raises(refused, match="SP4333"):
        await towns.send(address, body)
    await ended(towns, listener, path, "SP4333")
    assert (await hand.get(path)).status_code == 200


async def test_an_answer_before_the_request_was_fetched(towns: Any, listener: Any, refused: type[Any]) -> None:
    _, path, code = await begun(towns)
    address = parse_qs(urlsplit(code).query)["request_uri"][0].replace("/request", "/response")
    with pytest.raises(refused, match="SP4336"):
        await towns.send(address, b"response=x")
    await ended(towns, listener, path, "SP4336")


@pytest.mark.parametrize("place", ["/k", ""])
@pytest.mark.parametrize("answered", [False, True])
async def test_a_page_that_is_opened_somewhere_else(towns: Any, listener: Any, place: str, answered: bool) -> None:
    hand, path, code = await begun(towns, place)
    if answered:
        await towns.scan(towns.wallet(), code)
    other = await towns.terminal() if place else towns.browser()
    page = await other.get(path)
    assert (page.status_code, "SP4486" in page.text) == (403, True)
    await ended(towns, listener, path, "SP4335")
    assert "SP4335" in (await hand.get(path)).text
    poll = await other.get(path, headers={"hx-request": "true"})
    assert (poll.status_code, 'id="wallet"' in poll.text) == (200, True)


async def test_a_terminal_does_not_open_what_was_begun_on_the_web(towns: Any, listener: Any) -> None:
    _, path, _ = await begun(towns, "")
    terminal = await towns.terminal()
    assert (await terminal.get(f"/k{path}")).status_code == 403
    await ended(towns, listener, path, "SP4335")


@pytest.mark.parametrize("action", ["cancel", "again"])
async def test_nobody_else_cancels_it_or_begins_it_again(towns: Any, listener: Any, action: str) -> None:
    _, path, _ = await begun(towns)
    other = await towns.terminal()
    answer = await other.submit("/k/apply/record", f"{path}/{action}")
    assert (answer.status_code, "SP4486" in answer.text) == (403, True)
    await ended(towns, listener, path, "SP4335")


async def test_another_town_has_none_of_it(towns: Any, listener: Any, refused: type[Any]) -> None:
    hand, path, code = await begun(towns)
    other = await towns.terminal("beta")
    assert (await other.get(path)).status_code == 410
    with pytest.raises(refused, match="SP4330"):
        await towns.fetch(towns.wallet(), code.replace("alpha", "beta"))
    assert (await towns.row(path)).state == "open"
    assert listener.told == []
    await towns.scan(towns.wallet(), code)
    assert (await hand.get(path)).status_code == 303


async def test_too_late(towns: Any, listener: Any, refused: type[Any], clock: FixedClock) -> None:
    hand, path, code = await begun(towns)
    late = towns.wallet()
    request = await towns.fetch(late, code)
    clock.instant += LIFE
    with pytest.raises(refused, match="SP4331"):
        await towns.send(request.claims["response_uri"], late.answer(request))
    await ended(towns, listener, path, "SP4331")
    gone = await hand.get(path)
    assert (gone.status_code, "SP4471" in gone.text) == (410, True)
    poll = await hand.get(path, headers={"hx-request": "true"})
    assert (poll.status_code, "SP4471" in poll.text) == (200, True)


async def test_after_somebody_chose_another_way(towns: Any, listener: Any, refused: type[Any]) -> None:
    hand, path, code = await begun(towns)
    late = towns.wallet()
    request = await towns.fetch(late, code)
    key = (await towns.row(path)).key
    back = await hand.submit(path, f"{path}/cancel")
    assert back.headers["location"] == f"/t/alpha/k/apply/record/back?key={key}"
    assert (await hand.get(back.headers["location"])).headers["location"].endswith("/apply/record?note=again")
    assert await towns.row(path) is None
    with pytest.raises(refused, match="SP4330"):
        await towns.send(request.claims["response_uri"], late.answer(request))
    assert listener.told == [(key, "cancelled")]


async def test_while_a_status_list_is_fetched_the_page_is_answered(
    towns: Any, issuer: Any, monkeypatch: pytest.MonkeyPatch, refused: type[Any], listener: Any
) -> None:
    """It takes seconds: the person looks at the page, chooses another way, and the answer comes to nothing."""
    hand, path, code = await begun(towns)
    loop_hand, cancelled = hand, []

    def slow(uri: str) -> bytes:
        async def look_and_cancel() -> None:
            cancelled.append((await loop_hand.get(path)).status_code)
            cancelled.append((await loop_hand.submit(path, f"{path}/cancel")).status_code)

        asyncio.run_coroutine_threadsafe(look_and_cancel(), loop).result(20)
        return bytes(issuer.fetch(uri))

    loop = asyncio.get_running_loop()
    party._verifier.cache_clear()
    monkeypatch.setattr(party, "fetch", slow)
    with pytest.raises(refused, match="SP4330"):
        await towns.scan(towns.wallet(), code)
    assert cancelled == [200, 303]
    assert [outcome for _, outcome in listener.told] == ["cancelled"]


@pytest.mark.parametrize(("fault", "code"), [(OSError("canary"), "SP4313"), (RuntimeError("canary"), "SP4300")])
async def test_a_status_list_that_cannot_be_had(
    towns: Any, monkeypatch: pytest.MonkeyPatch, refused: type[Any], listener: Any, fault: Exception, code: str
) -> None:
    _, path, shown = await begun(towns)

    def fail(uri: str) -> bytes:
        raise fault

    party._verifier.cache_clear()
    monkeypatch.setattr(party, "fetch", fail)
    with pytest.raises(refused) as caught:
        await towns.scan(towns.wallet(), shown)
    assert caught.value.code == code
    assert "canary" not in str(caught.value)
    await ended(towns, listener, path, code)


async def test_a_check_has_its_time(
    towns: Any, monkeypatch: pytest.MonkeyPatch, refused: type[Any], listener: Any
) -> None:
    _, path, shown = await begun(towns)
    over = threading.Event()

    def never(uri: str) -> bytes:
        over.wait(20)
        raise OSError

    party._verifier.cache_clear()
    monkeypatch.setattr(party, "fetch", never)
    monkeypatch.setattr(wallet, "CHECK_SECONDS", 0.2)
    try:
        with pytest.raises(refused, match="SP4313"):
            await towns.scan(towns.wallet(), shown)
    finally:
        over.set()
    await ended(towns, listener, path, "SP4313")


# --- on the web -----------------------------------------------------------------------------------------------


async def test_a_wallet_on_the_same_device_leads_back_with_a_code(
    towns: Any, listener: Any, link_of: Callable[[str], str]
) -> None:
    hand, path, _ = await begun(towns, "")
    wallet_here = towns.wallet()
    request = await towns.fetch(wallet_here, link_of((await hand.get(path)).text))
    answer = await towns.send(request.claims["response_uri"], wallet_here.answer(request))
    back = answer["redirect_uri"]
    assert back.startswith(f"https://points.example.org/t/alpha{path}?returned=")
    assert (await hand.get(path)).status_code == 200, "not before the browser comes back from the wallet"
    assert (await hand.get(f"{path}?returned={'0' * 64}")).status_code == 200
    assert (await towns.row(path)).found is None
    on = await hand.get(back)
    assert on.status_code == 303
    assert (await hand.get(on.headers["location"])).headers["location"].endswith("/apply/record/form")
    assert [outcome for _, outcome in listener.told] == ["identified"]


async def test_a_wallet_that_leads_back_to_another_browser(
    towns: Any, listener: Any, link_of: Callable[[str], str]
) -> None:
    """Somebody sent the link of his own page to somebody else, who was to identify for him."""
    hand, path, _ = await begun(towns, "")
    victim = towns.wallet()
    request = await towns.fetch(victim, link_of((await hand.get(path)).text))
    answer = await towns.send(request.claims["response_uri"], victim.answer(request))
    assert (await towns.browser().get(answer["redirect_uri"])).status_code == 403
    await ended(towns, listener, path, "SP4335")
    assert (await hand.get(path)).status_code == 200


async def test_a_phone_that_scans_the_page_of_another_device_is_not_led_anywhere(towns: Any) -> None:
    hand, path, code = await begun(towns, "")
    phone = towns.wallet()
    request = await towns.fetch(phone, code)
    assert await towns.send(request.claims["response_uri"], phone.answer(request)) == {}
    assert (await hand.get(path)).status_code == 303


async def test_without_its_cookie_a_browser_is_another_one(towns: Any, listener: Any) -> None:
    hand, path, _ = await begun(towns, "")
    hand.drop("sp_wallet")
    assert (await hand.get(path)).status_code == 403
    await ended(towns, listener, path, "SP4335")


# --- what wallets may send ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", FORM),
        (b"response=", FORM),
        (b"response=a&response=b", FORM),
        (b"response=\xff", FORM),
        (b"{}", "application/json"),
        (
            b'--x\r\ncontent-disposition: form-data; name="response"\r\n\r\na\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"&".join(b"a%d=1" % number for number in range(40)), FORM),
    ],
)
async def test_what_is_no_answer(towns: Any, listener: Any, content: bytes, kind: str) -> None:
    _, path, code = await begun(towns)
    request = await towns.fetch(towns.wallet(), code)
    async with towns.client() as client:
        answer = await client.post(request.claims["response_uri"], content=content, headers={"content-type": kind})
    assert answer.status_code == 400, answer.text
    row = await towns.row(path)
    assert (row.state, row.refused_by) == ("refused", answer.json()["code"])


async def test_more_than_an_answer_ever_has(towns: Any) -> None:
    _, path, code = await begun(towns)
    request = await towns.fetch(towns.wallet(), code)
    async with towns.client() as client:
        answer = await client.post(
            request.claims["response_uri"], content=b"a" * 300_000, headers={"content-type": FORM}
        )
    assert answer.status_code == 413
    assert (await towns.row(path)).state == "reading"


async def test_who_tries_addresses_is_made_to_wait(towns: Any) -> None:
    async with towns.client() as client:
        tried = [await client.get(f"/t/alpha/eid/wallet/{number:064}/request") for number in range(22)]
    assert [one.status_code for one in tried] == [404] * 20 + [429] * 2
    assert tried[0].json()["code"] == "SP4330"


@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_a_request_is_signed_for_this_wallet(towns: Any, verb: str) -> None:
    _, _, code = await begun(towns)
    if verb == "GET":
        code = code.replace("&request_uri_method=post", "")
    request = await towns.fetch(towns.wallet(), code)
    assert request.claims["client_id"].startswith("x509_hash:")
    assert request.claims["response_uri"].startswith("https://points.example.org/t/alpha/eid/wallet/")


async def test_where_the_file_names_no_wallet_there_is_no_door(towns: Any, urls: Any) -> None:
    await towns.found(urls.owner, "gamma", wallet=None)
    async with towns.client() as client:
        assert (await client.get("/t/gamma/eid/wallet/0/request")).status_code == 404
    assert towns.deployments[0].plugins.flat(towns.ctx["gamma"], "identity_providers") == []
    assert [one.name for one in towns.deployments[0].plugins.flat(towns.ctx["alpha"], "identity_providers")] == [
        "wallet"
    ]


async def test_a_certificate_that_is_gone_shuts_the_door(towns: Any) -> None:
    hand = await towns.terminal()
    (towns.deployments[0].settings.home / "secrets" / "alpha" / "wallet.pem").unlink()
    answer = await hand.submit("/k/apply/record", "/k/apply/record", door="wallet")
    assert (answer.status_code, "SP8253" in answer.text) == (503, True)


async def test_an_address_without_tls_is_not_shown_to_wallets(towns: Any) -> None:
    hand = await towns.terminal()
    path = await hand.begin()
    for deployment in towns.deployments:
        deployment.settings = msgspec.structs.replace(deployment.settings, public_url="http://points.example.org")
    page = await hand.get(path)
    assert (page.status_code, "SP4487" in page.text) == (503, True)
    assert (await towns.row(path)).kept is None


def wish(**asked: Any) -> IdentityWish:
    return IdentityWish(key=UUID(int=1), purpose={}, **asked)


def test_what_a_wallet_is_asked_for() -> None:
    asked = ask_of(wish(required=("family_names",), optional=("pseudonym", "sex", "email", "phone", "address"), age=18))
    assert asked.optional == ("sex", "email", "phone", "address")
    assert (asked.required, asked.age) == (("family_names",), 18)
    for impossible in (wish(required=("doctoral_degree",)), wish(age=18, community="02760611"), wish()):
        with pytest.raises(ValueError, match=r"PID|nothing"):
            ask_of(impossible)


async def test_age_is_yes_or_no(towns: Any) -> None:
    deployment, ctx = towns.deployments[0], towns.ctx["alpha"]
    hand = towns.browser()
    async with deployment.database.tenant(ctx) as tx:
        path = await WalletDoor(3).begin(deployment, tx, wish(age=18, return_path="/apply/record/back"))
    assert "18 Jahre" in (await hand.get(path)).text
    person = {name: value for name, value in ERIKA.items() if name != "age_equal_or_over"}
    await towns.scan(towns.wallet(person=person), await towns.code(path))
    assert (await hand.get(path)).status_code == 303
    async with deployment.database.tenant(ctx) as tx:
        found = await WalletDoor(3).take(deployment, tx, UUID(int=1))
    assert found is not None
    assert (found.old_enough, found.attributes, found.level, found.provider) == (True, {}, 3, "wallet")


def test_an_answer_fits_into_what_is_read() -> None:
    """The largest that a wallet sends is far below what the application takes (256 KiB)."""
    assert len(urlencode({"response": "x" * 100_000})) < 256 * 1024


async def test_expired_ones_are_told_of(towns: Any, listener: Any, clock: FixedClock) -> None:
    _, path, _ = await begun(towns)
    row = await towns.row(path)
    clock.instant += LIFE + timedelta(seconds=1)
    await service.expire.function(towns.deployments[1], towns.ctx["alpha"], session_id=str(row.id))
    assert listener.told == [(row.key, "expired")]
    assert await towns.row(path) is None


async def test_whatever_is_sent_is_answered(towns: Any, refused: type[Any]) -> None:
    """No body, address or query leads to a fault of ours, and each is refused or asks for nothing."""
    wire = towns.wire()
    _, path, code = await begun(towns)
    address = (await towns.fetch(towns.wallet(), code)).claims["response_uri"]
    asked = address.replace("/response", "/request")
    seen = set()

    def answered(status_of: Callable[[], Any]) -> None:
        try:
            status_of()
            seen.add(200)
        except refused as error:
            seen.add(error.status)

    @settings(max_examples=40)
    @given(
        st.one_of(
            st.binary(max_size=400), st.text(max_size=80).map(lambda text: urlencode({"response": text}).encode())
        )
    )
    def bodies(body: bytes) -> None:
        answered(lambda: wire("POST", address, body))
        answered(lambda: wire("POST", asked, body))

    @settings(max_examples=40)
    @given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=80), st.text(max_size=5))
    def addresses(token: str, here: str) -> None:
        url = (
            f"https://points.example.org/t/alpha/eid/wallet/{quote(token, safe='')}/request?{urlencode({'here': here})}"
        )
        answered(lambda: wire("GET", url, None))

    await asyncio.to_thread(bodies)
    await asyncio.to_thread(addresses)
    assert 400 in seen
    assert seen <= {200, 400, 404, 405, 422, 429}
    assert (await towns.row(path)).state == "refused"
