"""From the code on the screen to an identity, in both formats; everything that goes wrong ends the session."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Answers, Level, PartialDate, Place
from servicepunkt.eid.testing.wallet import ERIKA, MDOC, SD_JWT, FakeWallet, Fault, fake_client_certificate
from servicepunkt.eid.wallet.attributes import Ask
from servicepunkt.eid.wallet.errors import TooManySessionsError, UnknownSessionError
from servicepunkt.eid.wallet.request import Client
from servicepunkt.eid.wallet.status import StatusLists
from servicepunkt.eid.wallet.trust import TrustAnchors
from servicepunkt.eid.wallet.verifier import (
    MOST_SESSIONS,
    OVER,
    REMEMBERED,
    STEPS,
    TTL,
    KeptSession,
    PresentationSession,
    Verifier,
)

Make = Callable[..., Any]
EVERYTHING = ("given_names", "family_names", "birth_name", "date_of_birth", "place_of_birth", "nationality", "sex",
              "address", "issuing_country", "valid_until")  # fmt: skip
PRIVATE = ("ERIKA", "MUSTERMANN", "GABLER", "1964", "BERLIN", "HEIDESTRASSE", "51147", "KÖLN")


@pytest.fixture(params=[SD_JWT, MDOC])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == MDOC:
        pytest.importorskip("cbor2")
    return str(request.param)


@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
def test_an_identity_comes_of_it(
    kind: str, prefix: Any, mode: str, make_verifier: Make, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    key, certificate = fake_client_certificate(now=now)
    verifier = make_verifier(client=Client(key, (certificate,), prefix), mode=mode)
    session = begin(verifier, required=EVERYTHING)
    assert verifier.collect(session.id, binding="terminal 7", now=now) is None, "nobody has answered"
    request = make_wallet(format=kind).scan(session.qr, wire(verifier))
    identity = verifier.collect(session.id, binding="terminal 7", now=now)

    assert request.claims["client_id"].startswith(f"{prefix}:")
    assert identity is not None
    assert (identity.origin, identity.level, identity.at) == ("wallet", Level.HIGH, now)
    assert identity.proof.startswith("sha256:")
    found = identity.attributes
    assert (found.given_names, found.family_names, found.birth_name) == ("ERIKA", "MUSTERMANN", "GABLER")
    assert (found.date_of_birth, found.nationality, found.sex) == (PartialDate(1964, 8, 12), "D", "F")
    assert found.address == Place(street="HEIDESTRASSE 17", zip_code="51147", city="KÖLN", country="D")
    assert found.place_of_birth is not None
    assert found.place_of_birth.city == "BERLIN"
    assert (found.issuing_country, str(found.valid_until)) == ("D", "2031-10-31")


def test_only_what_was_asked_for_comes_out(
    kind: str, verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    session = begin(verifier, required=("family_names",))
    make_wallet(format=kind).scan(session.qr, wire(verifier))
    identity = verifier.collect(session.id, binding="terminal 7", now=now)
    assert identity.attributes.held() == ("family_names",)


def test_who_lacks_what_is_optional_can_answer(
    kind: str, verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    person = {name: value for name, value in ERIKA.items() if name != "birth_family_name"}
    session = begin(verifier, required=("family_names",), optional=("birth_name", "sex"))
    make_wallet(format=kind, person=person).scan(session.qr, wire(verifier))
    identity = verifier.collect(session.id, binding="terminal 7", now=now)
    assert identity.attributes.held() == ("family_names", "sex")


@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize(("age", "expected"), [(18, True), (65, False), (62, True), (63, False)])
def test_an_age_is_yes_or_no_and_never_a_date(
    kind: str, age: int, expected: bool, carried: bool, verifier: Verifier, make_wallet: Make, wire: Make,
    begin: Make, now: datetime,
) -> None:  # fmt: skip
    person = {name: value for name, value in ERIKA.items() if carried or name != "age_equal_or_over"}
    session = begin(verifier, age=age)
    make_wallet(format=kind, person=person).scan(session.qr, wire(verifier))
    identity = verifier.collect(session.id, binding="terminal 7", now=now)
    assert identity.answers == Answers(old_enough=expected)
    assert identity.attributes.held() == ()


EXPECTED = {
    Fault.NONCE: "SP4320",
    Fault.AUDIENCE: "SP4320",
    Fault.HOLDER_KEY: "SP4320",
    Fault.DIGEST: "SP4314",
    Fault.ALG_NONE: "SP4301",
    Fault.DUPLICATE_CLAIMS: "SP4314",
    Fault.EXPIRED: "SP4311",
    Fault.REVOKED: "SP4312",
    Fault.UNTRUSTED: "SP4310",
    Fault.REPLAY: "SP4320",
    Fault.STATE: "SP4334",
    Fault.PLAIN: "SP4321",
    Fault.MISSING: "SP4321",
    Fault.DECLINED: "SP4322",
}


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_wallet_that_misbehaves(
    kind: str, fault: Fault, verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    wallet = make_wallet(format=kind)
    wallet.scan(begin(verifier).qr, wire(verifier))
    wallet.fault = fault
    # A list that is kept does not yet know of a revocation.
    verifier.statuses = StatusLists(wallet.issuer.fetch, verifier.anchors)
    session = begin(verifier)
    with pytest.raises(EidError) as caught:
        wallet.scan(session.qr, wire(verifier))
    assert caught.value.code == EXPECTED[fault]
    assert not any(datum in f"{caught.value!r} {session!r} {session.__dict__}" for datum in PRIVATE)
    assert session.phase == "ended"
    assert session._identity is session._request is session._key is None
    with pytest.raises(EidError) as told:
        verifier.collect(session.id, binding="terminal 7", now=now)
    assert told.value.code == caught.value.code


@pytest.mark.parametrize("fault", [None, Fault.NONCE, Fault.REVOKED, Fault.MISSING])
def test_nothing_lies_about(
    kind: str, fault: Fault | None, verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    """Neither in the session nor in anything else that is alive: of a person whose name exists nowhere else."""
    word = "".join(reversed("SUEADEBEZ"))

    def identify() -> None:
        wallet = make_wallet(format=kind, person={**ERIKA, "family_name": f"{word} {os.getpid()}"}, fault=fault)
        session = begin(verifier, required=("family_names", "sex"))
        with suppress(EidError):
            wallet.scan(session.qr, wire(verifier))
            identity = verifier.collect(session.id, binding="terminal 7", now=now)
            assert word in identity.attributes.family_names
            assert holders(word), "the search finds what is there"

    identify()
    assert holders(word) == []


def holders(word: str) -> list[str]:
    """Kinds of objects that hold a text with this word in it, and not the word itself."""
    gc.collect()
    return [
        type(one).__name__
        for one in gc.get_objects()
        if any(isinstance(ref, str) and word in ref and ref != word for ref in gc.get_referents(one))
    ]


def test_a_proof_of_an_hour_ago(verifier: Verifier, make_wallet: Make, wire: Make, begin: Make) -> None:
    with pytest.raises(EidError, match=r"SP4320.*iat"):
        make_wallet(fault=Fault.OLD_PROOF).scan(begin(verifier).qr, wire(verifier))


def answered(verifier: Verifier, wallet: FakeWallet, begin: Make, wire: Make) -> tuple[Any, str, bytes]:
    """A session with the address and the body of its answer, which was not sent."""
    session = begin(verifier)
    request = wallet.fetch(session.qr, wire(verifier))
    return session, request.claims["response_uri"], wallet.answer(request)


def test_the_code_is_for_one_wallet(
    verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    wallet = make_wallet()
    session, address, body = answered(verifier, wallet, begin, wire)
    with pytest.raises(EidError) as caught:
        wallet.fetch(session.qr, wire(verifier))
    assert caught.value.code == "SP4332"
    with pytest.raises(EidError) as late:
        wire(verifier)("POST", address, body)
    assert late.value.code == "SP4332", "the first wallet is refused, too: nobody knows which was the person's"


def test_an_answer_counts_once(verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime) -> None:
    session, address, body = answered(verifier, make_wallet(), begin, wire)
    wire(verifier)("POST", address, body)
    with pytest.raises(EidError) as caught:
        wire(verifier)("POST", address, body)
    assert caught.value.code == "SP4333"
    with pytest.raises(EidError, match="SP4333"):
        verifier.collect(session.id, binding="terminal 7", now=now)


def test_a_result_is_taken_once_and_by_the_terminal_that_began(
    verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    session = begin(verifier)
    make_wallet().scan(session.qr, wire(verifier))
    assert session._request is session._key is None, "an answer leaves nothing but the identity"
    assert verifier.collect(session.id, binding="terminal 7", now=now) is not None
    assert session._identity is None
    with pytest.raises(EidError, match="SP4333"):
        verifier.collect(session.id, binding="terminal 7", now=now)

    session = begin(verifier)
    make_wallet().scan(session.qr, wire(verifier))
    with pytest.raises(EidError, match="SP4335"):
        verifier.collect(session.id, binding="terminal 8", now=now)
    assert session._identity is None
    with pytest.raises(EidError, match="SP4335"):
        verifier.collect(session.id, binding="terminal 7", now=now)


def test_another_terminal_ends_a_session_that_still_waits(verifier: Verifier, begin: Make, now: datetime) -> None:
    session = begin(verifier)
    with pytest.raises(EidError, match="SP4335"):
        verifier.collect(session.id, binding="terminal 8", now=now)
    assert session.phase == "ended"


def test_late(verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime) -> None:
    late = now + TTL + timedelta(seconds=1)
    wallet = make_wallet()
    with pytest.raises(EidError, match="SP4331"):
        wallet.fetch(begin(verifier).qr, wire(verifier, late))
    session, address, body = answered(verifier, wallet, begin, wire)
    with pytest.raises(EidError, match="SP4331"):
        wire(verifier, late)("POST", address, body)
    session = begin(verifier)
    wallet.scan(session.qr, wire(verifier))
    with pytest.raises(EidError, match="SP4331"):
        verifier.collect(session.id, binding="terminal 7", now=late)
    assert session._identity is None
    with pytest.raises(EidError, match="SP4331"):
        verifier.collect(begin(verifier).id, binding="terminal 7", now=late)


def test_an_answer_before_the_request_was_fetched(verifier: Verifier, wire: Make, begin: Make) -> None:
    session = begin(verifier)
    with pytest.raises(EidError, match="SP4336"):
        wire(verifier)("POST", f"{verifier.address}/response/{session.response_id}", b"response=x")
    assert session.phase == "ended"


def test_an_answer_for_another_session(verifier: Verifier, make_wallet: Make, wire: Make, begin: Make) -> None:
    wallet = make_wallet()
    _, _, body = answered(verifier, wallet, begin, wire)
    _, address, _ = answered(verifier, wallet, begin, wire)
    with pytest.raises(EidError, match="SP4303"):
        wire(verifier)("POST", address, body)


def test_while_a_status_list_is_fetched(
    verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    """It may take seconds: the terminal asks meanwhile, the wallet sends once more, somebody walks away."""
    session, address, body = answered(verifier, make_wallet(), begin, wire)
    seen: list[object] = []

    def slow(uri: str) -> bytes:
        seen.append(verifier.collect(session.id, binding="terminal 7", now=now))
        return make_wallet().issuer.fetch(uri)

    verifier.statuses = StatusLists(slow, verifier.anchors)
    wire(verifier)("POST", address, body)
    assert seen == [None]
    assert verifier.collect(session.id, binding="terminal 7", now=now) is not None

    session, address, body = answered(verifier, make_wallet(), begin, wire)

    def gone(uri: str) -> bytes:
        verifier.cancel(session.id)
        return make_wallet().issuer.fetch(uri)

    verifier.statuses = StatusLists(gone, verifier.anchors)
    with pytest.raises(UnknownSessionError):
        verifier._find("id", session.id).receive(body, now=now)
    assert (session.phase, session._identity) == ("ended", None)


@pytest.mark.parametrize("names", [["passport"], ["pid_sdjwt", "passport"]])
def test_a_document_that_nobody_asked_for(
    names: list[str], verifier: Verifier, make_wallet: Make, wire: Make, begin: Make
) -> None:
    wallet, session = make_wallet(), begin(verifier)
    request = wallet.fetch(session.qr, wire(verifier))
    [shown] = wallet.present(request).values()
    plain = json.dumps({"vp_token": dict.fromkeys(names, shown), "state": request.claims["state"]}).encode()
    with pytest.raises(EidError, match=r"SP4321.*nobody asked for"):
        verifier.receive(
            session.response_id, b"response=" + wallet.encrypt(plain, request).encode(), now=session.expires
        )


def test_every_step_in_every_phase_has_its_answer(verifier: Verifier, begin: Make, now: datetime) -> None:
    for phase in ("shown", "fetched", "checking", "answered", "collected"):
        for step in ("fetch", "answer", "accept", "collect"):
            session = begin(verifier)
            session.phase = phase
            if (phase, step) in STEPS:
                session._go(step, now)
                assert session.phase == STEPS[phase, step]
                continue
            with pytest.raises(OVER.get((phase, step), EidError)):
                session._go(step, now)
            assert session.phase == phase


def test_nobody_else_is_there(verifier: Verifier, now: datetime) -> None:
    for name in ("", "x" * 43, "é", "\ud800"):
        with pytest.raises(UnknownSessionError):
            verifier.request(name, now=now)
        with pytest.raises(UnknownSessionError):
            verifier.receive(name, b"", now=now)
        with pytest.raises(UnknownSessionError):
            verifier.collect(name, binding="", now=now)


def test_cancelled_is_gone(verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime) -> None:
    session = begin(verifier)
    make_wallet().scan(session.qr, wire(verifier))
    verifier.cancel(session.id)
    verifier.cancel(session.id)
    assert session._identity is None
    with pytest.raises(UnknownSessionError):
        verifier.collect(session.id, binding="terminal 7", now=now)


def test_sessions_are_bounded_and_swept(verifier: Verifier, begin: Make, now: datetime) -> None:
    for _ in range(MOST_SESSIONS):
        begin(verifier)
    with pytest.raises(TooManySessionsError):
        begin(verifier)
    verifier.sweep(now + TTL + timedelta(seconds=1))
    assert len(verifier._sessions) == MOST_SESSIONS, "remembered for who comes late"
    verifier.sweep(now + TTL + REMEMBERED + timedelta(seconds=1))
    assert not verifier._sessions


def test_the_code_says_little(verifier: Verifier, begin: Make, now: datetime) -> None:
    session = begin(verifier)
    asked = parse_qs(urlsplit(session.qr).query)
    assert session.qr.startswith("openid4vp://?")
    assert asked == {
        "client_id": [verifier.client.id],
        "request_uri": [session.request_uri],
        "request_uri_method": ["post"],
    }
    assert len(session.qr) < 400
    for secret in (session.id, session.response_id):
        assert secret not in session.qr


def test_nothing_is_the_same_twice(verifier: Verifier, begin: Make) -> None:
    one, other = begin(verifier), begin(verifier)
    for name in ("id", "request_id", "response_id"):
        assert getattr(one, name) != getattr(other, name)
    assert one._request.nonce != other._request.nonce
    assert one._request.thumbprint != other._request.thumbprint
    fixed = [verifier.begin(one.ask, now=one.expires - TTL, binding="", random=bytes) for _ in range(2)]
    assert fixed[0]._request.thumbprint == fixed[1]._request.thumbprint, "randomness is an argument"


def test_a_wallet_may_get_the_request_with_get(
    verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    session = begin(verifier)
    make_wallet().scan(session.qr.replace("&request_uri_method=post", ""), wire(verifier))
    assert verifier.collect(session.id, binding="terminal 7", now=now) is not None


def test_without_status_lists_a_document_that_may_be_revoked_is_refused(
    make_verifier: Make, make_wallet: Make, wire: Make, begin: Make
) -> None:
    verifier = make_verifier(statuses=None)
    with pytest.raises(EidError, match="SP4313"):
        make_wallet().scan(begin(verifier).qr, wire(verifier))


def test_an_unforeseen_fault_ends_the_session_too(
    verifier: Verifier, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    def broken(uri: str) -> bytes:
        raise RuntimeError("a bug")

    verifier.statuses = StatusLists(broken, verifier.anchors)
    session = begin(verifier)
    with pytest.raises(RuntimeError):
        make_wallet().scan(session.qr, wire(verifier))
    assert session.phase == "ended"
    with pytest.raises(EidError, match="SP4300"):
        verifier.collect(session.id, binding="terminal 7", now=now)


@pytest.mark.parametrize(
    "address", ["http://stadt.example/w", "https://stadt.example/w/", "https://stadt.example/w?x=1"]
)
def test_addresses_that_are_none(address: str, make_verifier: Make) -> None:
    with pytest.raises(ValueError, match="address"):
        make_verifier(address=address)


def test_the_certificate_names_the_host(make_verifier: Make, now: datetime) -> None:
    key, certificate = fake_client_certificate(now=now, host="anderswo.example")
    with pytest.raises(ValueError, match="host"):
        make_verifier(client=Client(key, (certificate,), "x509_san_dns"))
    other, _ = fake_client_certificate(now=now)
    with pytest.raises(ValueError, match="another key"):
        Client(other, (certificate,))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"required": ("shoe_size",)},
        {"required": ("sex",), "optional": ("sex",)},
        {"age": 0},
        {"optional": ("sex", "address", "birth_name", "email", "phone")},
    ],
)
def test_what_cannot_be_asked(asked: Any) -> None:
    with pytest.raises(ValueError):
        Ask(**asked)


def test_an_issuer_for_something_else_is_not_believed(
    make_verifier: Make, make_wallet: Make, wire: Make, begin: Make, issuer: Any
) -> None:
    verifier = make_verifier(anchors=TrustAnchors([]))
    with pytest.raises(EidError, match="SP4310"):
        make_wallet().scan(begin(verifier).qr, wire(verifier))


def test_randomness_of_every_key_is_its_own(verifier: Verifier, now: datetime) -> None:
    drawn: list[int] = []

    def random(count: int) -> bytes:
        drawn.append(count)
        return os.urandom(count)

    verifier.begin(Ask(age=18), now=now, binding="", random=random)
    assert drawn == [32] * 5 + [40]


def restored(verifier: Verifier, session: Any) -> PresentationSession:
    """As another process finds it: encoded, stored, and made anew."""
    return PresentationSession(verifier, msgspec.json.decode(msgspec.json.encode(session.kept()), type=KeptSession))


@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
def test_every_step_may_come_to_another_process(
    kind: str, mode: str, make_verifier: Make, make_wallet: Make, wire: Make, begin: Make, now: datetime
) -> None:
    verifier = make_verifier(mode=mode)
    first = begin(verifier, required=("family_names",))
    wallet = make_wallet(format=kind)
    second = restored(verifier, first)
    assert (second.qr, second.id) == (first.qr, first.id)
    token = second.request_object(now=now)
    request = wallet.fetch(first.qr.replace("&request_uri_method=post", ""), lambda *_: token.encode())
    third = restored(verifier, second)
    assert third.phase == "fetched"
    third.answer(now=now)
    fourth = restored(verifier, third)
    with pytest.raises(EidError, match="SP4333"):
        restored(verifier, third).answer(now=now)
    fourth.accept(third.check(wallet.answer(request), now=now), now=now)
    fifth = restored(verifier, fourth)
    assert not any(datum in f"{fifth.kept()!r} {first.kept()!r}" for datum in PRIVATE)
    assert fifth.kept().key == b""
    with pytest.raises(EidError, match="SP4335"):
        restored(verifier, fourth).collect(binding="terminal 8", now=now)
    identity = fifth.collect(binding="terminal 7", now=now)
    assert identity is not None
    assert identity.attributes.family_names == "MUSTERMANN"
    for over in (fifth, session_that_ended(verifier, begin)):
        with pytest.raises(ValueError, match="nothing is kept"):
            over.kept()


def session_that_ended(verifier: Verifier, begin: Make) -> Any:
    session = begin(verifier)
    session.end()
    return session


def test_what_is_kept_says_nothing_by_itself(verifier: Verifier, begin: Make) -> None:
    session = begin(verifier)
    kept = session.kept()
    assert len(kept.key) == 32
    assert not any(secret in repr(kept) for secret in (kept.nonce, kept.state, kept.key.hex(), repr(kept.key)))


def test_addresses_of_a_session_that_somebody_else_keeps(verifier: Verifier, now: datetime) -> None:
    def prepare(uri: str) -> None:
        verifier.prepare(
            Ask(age=18), request_uri=uri, response_uri=uri, expires=now + TTL, binding="", random=os.urandom
        )

    prepare("https://stadt.example/eid/wallet/x/request?here=1")
    prepare("http://127.0.0.1:8600/eid/wallet/x/request")
    with pytest.raises(ValueError, match="https"):
        prepare("http://stadt.example/eid/wallet/x/request")
