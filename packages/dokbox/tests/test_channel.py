"""The signed channel between box and centre, the box's side: what is believed, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.controller.channel import Channel, ForkedError, RefusedByCentreError
from servicepunkt.dokbox.controller.link import Link
from servicepunkt.dokbox.errors import OutOfOrderError, SignatureError
from servicepunkt.dokbox.testing import Bench, example_config
from servicepunkt.dokbox.vault import RemoteVault, seal_to
from servicepunkt.dokbox.vault.model import is_signed

D1, NUMBER = "01980000-0000-7000-8000-000000000001", "+4915112345678"


class Centre:
    """What a box hears of the centre, over HTTP in memory: the last answer given for a purpose, signed.

    `signs_as` is another key, or none, where somebody speaks in the centre's name; `nonce` that of another request,
    where somebody gives an old answer.
    """

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.requests: list[httpx.Request] = []
        self.signs_as: Ed25519PrivateKey | None = self.key
        self.nonce = ""

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url="http://centre", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        purpose = request.url.path.rpartition("/")[2]
        if purpose == "keys":
            public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            keys = wire.CentreKeys(tenant=1, box="box-1", signing_key=public.hex())
            return httpx.Response(200, content=msgspec.json.encode(keys))
        status, body = self.answers[purpose]
        nonce = self.nonce or request.headers[wire.NONCE]
        said = wire.signed(cast(wire.Purpose, purpose), tenant=1, box="box-1", body=body, nonce=nonce)
        headers = {wire.SIGNATURE: self.signs_as.sign(said).hex()} if self.signs_as else {}
        return httpx.Response(status, content=body, headers=headers)

    def says(self, purpose: wire.Purpose, message: object, *, status: int = 200) -> None:
        self.answers[purpose] = (status, msgspec.json.encode(message))


@pytest.fixture
def centre() -> Centre:
    return Centre()


async def test_what_the_box_says_is_signed_by_it(bench: Bench, centre: Centre) -> None:
    bench.controller.ledger.note("started")
    centre.says("events", wire.Acknowledged(seq=1, head=bench.controller.ledger.box.head))
    async with centre.client() as client:
        await Link(bench.controller, bench.journal, client).push_events()
    keys, sent = centre.requests
    told = msgspec.json.decode(keys.content, type=wire.BoxKeys)
    said = wire.signed("events", tenant=1, box="box-1", body=sent.content)
    assert is_signed(bytes.fromhex(told.signing_key), sent.headers[wire.SIGNATURE], said)
    other = wire.signed("events", tenant=2, box="box-1", body=sent.content)
    assert not is_signed(bytes.fromhex(told.signing_key), sent.headers[wire.SIGNATURE], other)
    assert bench.journal.meta("acknowledged") == b"1"


async def test_the_keys_are_exchanged_once_and_kept_over_restarts(bench: Bench, centre: Centre) -> None:
    centre.says("config", example_config())
    for _ in range(2):
        async with centre.client() as client:
            await Link(bench.controller, bench.journal, client).fetch_config()
        await bench.restart()
    assert [request.url.path.rpartition("/")[2] for request in centre.requests] == ["keys", "config", "config"]


@pytest.mark.parametrize("forger", [None, Ed25519PrivateKey.generate()], ids=["unsigned", "another key"])
async def test_what_another_says_in_the_centres_name_is_not_believed(
    bench: Bench, centre: Centre, forger: Ed25519PrivateKey | None
) -> None:
    await bench.load(D1)
    order = wire.Command(seq=bench.commands + 1, kind="recall", deposit=D1, valid_until=bench.clock.now())
    centre.says("commands", wire.Commands(commands=[order], now=bench.clock.now()))
    centre.says("config", msgspec.structs.replace(example_config(), max_attempts=99))
    centre.says("events", {"code": "SP3121"}, status=409)
    centre.signs_as = forger
    async with centre.client() as client:
        link = Link(bench.controller, bench.journal, client)
        for call in (link.pull_commands, link.fetch_config, link.push_events):
            with pytest.raises(SignatureError):
                await call()
    assert bench.doors.pulses[7] == 1
    assert bench.controller.config is not None
    assert bench.controller.config.max_attempts == 5
    assert bench.controller.healthy


async def test_an_old_answer_is_not_taken_for_a_new_one(bench: Bench, centre: Centre) -> None:
    """A proxy kept last year's configuration, with the centre's own signature under it."""
    centre.says("config", msgspec.structs.replace(example_config(), max_attempts=99))
    centre.nonce = "ab" * 16
    async with centre.client() as client:
        with pytest.raises(SignatureError):
            await Link(bench.controller, bench.journal, client).fetch_config()
        centre.nonce = ""
        await Link(bench.controller, bench.journal, client).fetch_config()
    nonces = [request.headers[wire.NONCE] for request in centre.requests if wire.NONCE in request.headers]
    assert len(set(nonces)) == len(nonces) == 2


async def test_a_centre_that_was_restored_gets_everything_again(bench: Bench, centre: Centre) -> None:
    await bench.load(D1)
    box = bench.controller.ledger.box
    centre.says("events", wire.Acknowledged(seq=box.seq, head=box.head))
    async with centre.client() as client:
        link = Link(bench.controller, bench.journal, client)
        assert await link.push_events()
        assert not await link.push_events()
        bench.controller.ledger.note("started")
        entries = list(bench.journal.entries())
        centre.says("events", wire.Acknowledged(seq=2, head=entries[1].hash))
        assert await link.push_events()
        assert bench.journal.meta("acknowledged") == b"2"
        centre.says("events", wire.Acknowledged(seq=len(entries), head=entries[-1].hash))
        assert await link.push_events()
    sent = msgspec.json.decode(centre.requests[-1].content, type=wire.Events).events
    assert [entry.entry.seq for entry in sent] == list(range(3, len(entries) + 1))
    assert any(entry.sealed for entry in sent), "the code's message is still there"
    assert bench.controller.troubles == ()


async def test_an_answer_of_one_kind_is_not_taken_for_another(bench: Bench, centre: Centre) -> None:
    centre.says("commands", wire.Commands(commands=[], now=bench.clock.now()))
    async with centre.client() as client:
        channel = Channel(client, bench.journal, bench.controller.vault, randomness=bytes)  # always the same nonce
        answer = await channel.get("commands")
        centre.answers["config"] = (200, answer.content)

        def replayed(request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=answer.content, headers=dict(answer.headers))

        async with httpx.AsyncClient(base_url="http://centre", transport=httpx.MockTransport(replayed)) as other:
            with pytest.raises(SignatureError):
                await Channel(other, bench.journal, bench.controller.vault, randomness=bytes).get("config")


async def test_an_old_command_that_is_played_again_does_nothing(bench: Bench, centre: Centre) -> None:
    """Signed it is, but its number was dealt with."""
    await bench.load(D1)
    order = wire.Command(seq=bench.commands, kind="recall", deposit=D1, valid_until=bench.clock.now())
    centre.says("commands", wire.Commands(commands=[order], now=bench.clock.now()))
    async with centre.client() as client:
        await Link(bench.controller, bench.journal, client).pull_commands()
    assert bench.doors.pulses[7] == 1


async def test_a_refusal_on_the_way_is_no_word_about_the_journal(bench: Bench, centre: Centre) -> None:
    bench.controller.ledger.note("started")
    centre.says("events", {}, status=502)
    async with centre.client() as client:
        with pytest.raises(RefusedByCentreError):
            await Link(bench.controller, bench.journal, client).push_events()
    assert not bench.controller.distrusted


@pytest.mark.parametrize(
    ("status", "said"), [(409, {"code": "SP3121"}), (200, {"seq": 500, "head": "0" * 64})], ids=["fork", "ahead"]
)
async def test_a_box_that_was_set_back_hands_nothing_out(
    bench: Bench, centre: Centre, status: int, said: dict[str, object]
) -> None:
    """The disk's image of last week is back: its codes may be spent, its compartments given to others."""
    _, code = await bench.load(D1)
    centre.says("events", said, status=status)
    async with centre.client() as client:
        with pytest.raises(ForkedError):
            await Link(bench.controller, bench.journal, client).push_events()
    assert bench.journal.meta("acknowledged") is None
    for _ in range(2):
        with pytest.raises(OutOfOrderError):
            await bench.controller.present(NUMBER, code)
        await bench.restart()


async def test_troubles_are_told_once_and_again_when_they_change(bench: Bench, centre: Centre) -> None:
    centre.answers["condition"] = (204, b"")
    centre.says("commands", wire.Commands(commands=[], now=bench.clock.now()))
    async with centre.client() as client:
        link = Link(bench.controller, bench.journal, client)
        for trouble in (False, False, True, True):
            bench.journal.failed = trouble
            await link.tell_condition()
    told = [msgspec.json.decode(sent.content) for sent in centre.requests if sent.url.path.endswith("condition")]
    assert [entry["troubles"] for entry in told] == [[], ["disk"]]
    assert told[0]["vault"] == "file"


@given(st.binary(max_size=300), st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_no_bytes_pass_for_a_signature(body: bytes, signature: str) -> None:
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert not is_signed(public, signature, body)
    assert not is_signed(body, signature, body)


@given(st.binary(max_size=400))
def test_messages_of_a_stranger_are_refused_or_read(body: bytes) -> None:
    """Whatever comes over the wire is one of the messages or an error that is caught where it is read."""
    for kind in (wire.CentreKeys, wire.SealedPeppers, wire.Peppers, wire.PepperRequest, wire.Condition, wire.BoxKeys):
        with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
            msgspec.json.decode(body + b"!", type=kind)


class Remote(Bench):
    """A box whose peppers the centre keeps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, vault=lambda: RemoteVault(folder / "vault", self.random.randbytes))

    def delivered(self, *kids: str, acknowledged: int = 0, head: str = "0" * 64) -> wire.SealedPeppers:
        peppers = wire.Peppers(locator_key="11" * 32, peppers={kid: f"{int(kid):02d}" * 32 for kid in kids})
        plain = msgspec.json.encode(peppers)
        sealed = seal_to(self.vault.public_key, plain, context=wire.pepper_context(1, "box-1"))
        return wire.SealedPeppers(sealed=sealed.hex(), acknowledged=acknowledged, head=head)


def key_files(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()}


async def test_without_the_centre_pages_are_shown_and_nothing_is_opened(tmp_path: Path, centre: Centre) -> None:
    box = Remote(tmp_path)
    await box.look()
    assert box.controller.troubles == ("pepper",)
    assert not box.controller.healthy
    assert box.controller.form_secret
    with pytest.raises(OutOfOrderError):
        await box.controller.present(NUMBER, "123456")
    centre.says("peppers", box.delivered("1"))
    async with centre.client() as client:
        await Link(box.controller, box.journal, client).fetch_peppers()
    assert box.controller.healthy
    _, code = await box.load(D1)
    assert key_files(tmp_path / "vault") == {"box", "sign"}
    await box.restart()
    with pytest.raises(OutOfOrderError):
        await box.controller.present(NUMBER, code)
    async with centre.client() as client:
        await Link(box.controller, box.journal, client).fetch_peppers()
    assert (await box.controller.present(NUMBER, code)).deposit == D1
    box.put_away()


async def test_a_document_laid_in_without_a_pepper_gets_its_code_later(tmp_path: Path, centre: Centre) -> None:
    box = Remote(tmp_path)
    await box.look()
    centre.says("peppers", box.delivered("1"))
    async with centre.client() as client:
        link = Link(box.controller, box.journal, client)
        await link.fetch_peppers()
        await box.reserve(D1)
        await box.command("open_for_load", deposit=D1)
        await box.opened(7)
        await box.restart()
        await box.close(7, item=True)
        assert box.state(D1) == "loading"
        box.clock.forward(minutes=5)
        box.controller.tick()
        assert "left_open" not in [entry.event for entry in box.journal.entries()], "the door is closed"
        await Link(box.controller, box.journal, client).fetch_peppers()
    assert box.state(D1) == "stored"
    assert len(box.code(D1)) == 6
    box.put_away()


async def test_a_journal_that_was_set_back_is_noticed_before_a_code_is_tried(tmp_path: Path, centre: Centre) -> None:
    box = Remote(tmp_path)
    await box.look()
    box.controller.ledger.note("started")
    centre.says("peppers", box.delivered("1", acknowledged=40, head="ab" * 32))
    async with centre.client() as client:
        with pytest.raises(ForkedError):
            await Link(box.controller, box.journal, client).fetch_peppers()
    assert box.controller.troubles == ("distrusted", "pepper")
    box.put_away()


async def test_a_rotation_is_asked_of_the_centre(tmp_path: Path, centre: Centre) -> None:
    box = Remote(tmp_path)
    await box.look()
    centre.says("peppers", box.delivered("1"))
    async with centre.client() as client:
        link = Link(box.controller, box.journal, client)
        await link.fetch_peppers()
        box.controller.tick()
        await link.fetch_peppers()
        box.clock.forward(days=91)
        box.controller.tick()
        centre.says("peppers", box.delivered("1", "2"))
        await link.fetch_peppers()
        box.controller.tick()
        await link.fetch_peppers()
    asked = [
        msgspec.json.decode(request.content, type=wire.PepperRequest)
        for request in centre.requests
        if request.url.path.endswith("/peppers")
    ]
    assert [(entry.keep, entry.make) for entry in asked] == [(None, None), (("1",), "2"), (("2",), None)]
    box.put_away()
