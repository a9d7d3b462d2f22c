"""The services of the Portalverbund, as public programs that read them describe them; a server on this computer."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result

from servicepunkt.core.catalogue.checks import mistakes
from servicepunkt.core.catalogue.fetching import fetch
from servicepunkt.core.catalogue.formats import pvog
from servicepunkt.core.catalogue.formats.model import Change, Delete, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.formats.xzufi.names import NAMESPACES
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.records import ENTRIES
from servicepunkt.core.catalogue.sources import pvog as source
from servicepunkt.core.catalogue.sources.pvog import Feed, Position, Search, fetch_feed, fetch_services, snapshot
from servicepunkt.core.errors import ConflictError, InvalidInputError

NS = NAMESPACES["2.3.1"]
ARS = "066110000000"
SERVICE = (
    '<schreibe><leistung><id schemeAgencyID="L1">1</id><modulText><leikaTextmodul><code xmlns="">02</code>'
    '</leikaTextmodul><inhalt languageCode="de">Reisepass</inhalt></modulText></leistung></schreibe>'
)
ONLINE = (
    '<schreibe><onlinedienst><id schemeAgencyID="L1">9</id><link><link>https://example.org/pass</link></link>'
    "</onlinedienst></schreibe>"
)
USE = (
    "<schreibe><zustaendigkeitTransferObjekt>"
    '<uebergeordnetesObjektID schemeAgencyID="L1">9</uebergeordnetesObjektID><zustaendigkeit>'
    '<id schemeAgencyID="L1">3</id><leistungID schemeAgencyID="L1">1</leistungID><gebietID>060000000000</gebietID>'
    "</zustaendigkeit></zustaendigkeitTransferObjekt></schreibe>"
)
GONE = '<loesche klasse="Zustaendigkeit"><id schemeAgencyID="L1">404</id></loesche>'
DETAIL: dict[str, Any] = {
    "id": "L1.LB.7",
    "name": "Reisepass beantragen",
    "leikakeys": ["99085001012000", "kein Schlüssel"],
    "lastUpdate": "2026-10-01",
    "details": [
        {"code": "06", "text": "<p>Für <b>Reisen</b>.</p><script>x</script>"},
        {"code": "07", "links": [{"uri": "https://example.org/passg", "title": "PassG"}]},
        {"code": "09", "text": "<p>Platzhalter</p>", "placeholder": True},
        {"code": "14", "links": [{"uri": "javascript:x", "title": "x"}, {"uri": "https://example.org/f"}]},
        {"code": "98", "text": "Gebühr", "details": [{"title": "ab 24", "text": "<p>70,00 EUR</p>"}]},
        {"code": "97", "text": "Vor der Reise"},
        {"code": "93", "text": "Ministerium", "date": "2026-01-01"},
    ],
    "onlineServiceLinks": [{"title": "Online", "uri": "https://example.org/online"}],
}
UNITS = [
    {"id": "L1.OE.1", "title": "Bürgerbüro", "role": {"code": "01", "name": "Zuständige Stelle"}},
    {"id": "L1.OE.2", "title": "Hotline", "role": "Ansprechpunkt"},
]
UNIT: dict[str, Any] = {
    "title": "Bürgerbüro",
    "location": {
        "addresses": [
            {"type": "Postfach", "zip": "00001", "city": "Ort"},
            {"type": "Hausanschrift", "street": "Am Markt 1", "zip": "00002", "city": "Ort"},
        ],
        "communications": [{"code": "02", "value": "0561 0"}, {"code": "01", "value": "a@example.org"}],
    },
    "internetAddresses": [{"uri": "https://example.org"}],
}


def xml(*records: str) -> str:
    return f'<transfer xmlns="{NS}" xzufiVersion="2.3.1">{"".join(records)}</transfer>'


Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Gateway:
    """Answers by path; a list of answers is given one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]], dict[str, str]]] = []
        gateway = self

        class Desk(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def _answer(self, form: str) -> None:
                parts = urlsplit(self.path)
                gateway.asked.append((self.command, parts.path, parse_qs(parts.query or form), dict(self.headers)))
                given = gateway.answers.get(parts.path, [(404, {})])
                status, body, *rest = given.pop(0) if len(given) > 1 else given[0]
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in (rest[0] if rest else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def page(self, index: int, content: str, *, last: bool = False, following: str = "") -> dict[str, Any]:
        return {
            "xzufiObjekte": content,
            "naechsterIndex": index,
            "naechsteAnfrageUrl": following or f"{self.url}/feed/{index}",
            "vollstaendig": last,
            "anzahlObjekte": 1,
        }

    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.answers["/token"] = [(200, {"access_token": "abc", "token_type": "bearer", "expires_in": 300})]
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as made:
        yield made


@pytest.fixture
def feed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Feed:
    monkeypatch.setenv("PVOG_SECRET", "geheim")
    return Feed(url=gateway.url, token_url=f"{gateway.url}/token", client_id="stadt", secret="env:PVOG_SECRET")


@pytest.fixture
def pauses() -> tuple[list[float], Callable[[float], Any]]:
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    return taken, sleep


def changes(content: bytes, **limits: int) -> list[Change]:
    return list(pvog.FEED.read({"pages": io.BytesIO(content)}, Limits(**limits)))  # type: ignore[misc]


def catalogue(found: list[Change]) -> Catalogue:
    kinds: dict[str, list[Any]] = {}
    for one in found:
        assert isinstance(one, Upsert), one
        kinds.setdefault(one.kind, []).append(msgspec.convert(one.record, ENTRIES[one.kind]))
    return Catalogue(**{kind: tuple(entries) for kind, entries in kinds.items()})


# --- the change feed ------------------------------------------------------------------------------------------


async def test_all_pages_are_fetched_and_read_as_one(gateway: Gateway, client: httpx.AsyncClient, feed: Feed) -> None:
    """An online service may stand on another page than its service; an empty page is no end."""
    gateway.answers |= {
        source.FEED_PATH: [(200, gateway.page(10, xml(USE)))],
        "/feed/10": [(200, gateway.page(20, xml(SERVICE, GONE)))],
        "/feed/20": [(200, gateway.page(20, "", following=f"{gateway.url}/feed/21"))],
        "/feed/21": [(200, gateway.page(30, xml(ONLINE), last=True))],
    }
    into = io.BytesIO()
    assert await fetch_feed(client, feed, Position(), into) == Position(30, f"{gateway.url}/feed/30")
    found = changes(into.getvalue())
    [service] = [one for one in found if isinstance(one, Upsert)]
    assert service.place == "page 2, line 1"
    assert service.record["links"] == [{"kind": "online", "url": "https://example.org/pass", "areas": ["06"]}]
    assert [type(one) for one in found] == [Upsert, Delete]
    [(_, _, form, _)] = [one for one in gateway.asked if one[1] == "/token"]
    assert form == {"grant_type": ["client_credentials"], "client_id": ["stadt"], "client_secret": ["geheim"]}
    assert all(headers["Authorization"] == "Bearer abc" for _, path, _, headers in gateway.asked if path != "/token")


async def test_it_goes_on_where_it_ended(gateway: Gateway, client: httpx.AsyncClient, feed: Feed) -> None:
    gateway.answers["/feed/30"] = [(200, gateway.page(31, xml(GONE), last=True))]
    into = io.BytesIO()
    await fetch_feed(client, feed, Position(30, f"{gateway.url}/feed/30"), into)
    assert gateway.paths() == ["/token", "/feed/30"]


def fetch_changes(feed: Feed, folder: Path) -> Result:
    words = ["feed", "--url", feed.url, "--token-url", feed.token_url, "--client-id", "stadt", "--secret", feed.secret]
    return CliRunner().invoke(fetch, [*words, "--output", str(folder / "feed"), "--position", str(folder / "position")])


def test_the_command_goes_on_and_never_overwrites_what_was_not_imported(
    gateway: Gateway, feed: Feed, tmp_path: Path
) -> None:
    gateway.answers |= {
        source.FEED_PATH: [(200, gateway.page(30, xml(GONE), last=True))],
        "/feed/30": [(200, gateway.page(31, xml(SERVICE), last=True))],
    }
    assert fetch_changes(feed, tmp_path).exception is None
    assert len(changes((tmp_path / "feed").read_bytes())) == 1
    assert isinstance(fetch_changes(feed, tmp_path).exception, ConflictError)
    (tmp_path / "feed").unlink()
    assert fetch_changes(feed, tmp_path).exception is None
    assert gateway.paths().count(source.FEED_PATH) == 1
    assert json.loads((tmp_path / "position").read_text()) == {"index": 31, "url": f"{gateway.url}/feed/31"}
    (tmp_path / "position").write_text("{")
    (tmp_path / "feed").unlink()
    assert isinstance(fetch_changes(feed, tmp_path).exception, InvalidInputError)


def test_a_feed_that_is_down_leaves_no_file_and_no_position(gateway: Gateway, feed: Feed, tmp_path: Path) -> None:
    assert isinstance(fetch_changes(feed, tmp_path).exception, SourceError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("following", "reason"),
    [
        ("https://example.org/feed", "is not of"),
        ("http://127.0.0.1:1/feed", "is not of"),
        ("file:///etc/passwd", "is not of"),
        ("same", "leads back to this page"),
    ],
)
async def test_only_its_own_addresses_are_asked(
    following: str, reason: str, gateway: Gateway, client: httpx.AsyncClient, feed: Feed
) -> None:
    there = f"{gateway.url}{source.FEED_PATH}" if following == "same" else following
    gateway.answers[source.FEED_PATH] = [(200, gateway.page(1, xml(), following=there))]
    with pytest.raises(SourceError, match=reason):
        await fetch_feed(client, feed, Position(), io.BytesIO())
    with pytest.raises(SourceError, match="is not of"):
        await fetch_feed(client, feed, Position(1, "https://example.org"), io.BytesIO())
    assert set(gateway.paths()) == {"/token", source.FEED_PATH}


async def test_a_redirect_is_not_followed(gateway: Gateway, client: httpx.AsyncClient, feed: Feed) -> None:
    gateway.answers[source.FEED_PATH] = [(302, {}, {"Location": "https://example.org"})]
    with pytest.raises(SourceError, match="it answers 302"):
        await fetch_feed(client, feed, Position(), io.BytesIO())


async def test_a_feed_that_goes_back_is_refused(gateway: Gateway, client: httpx.AsyncClient, feed: Feed) -> None:
    gateway.answers[source.FEED_PATH] = [(200, gateway.page(5, xml()))]
    with pytest.raises(SourceError, match="goes back from 7 to 5"):
        await fetch_feed(client, feed, Position(7), io.BytesIO())


async def test_after_a_pause_it_is_tried_again(
    gateway: Gateway, client: httpx.AsyncClient, feed: Feed, pauses: Any
) -> None:
    """Too many requests and faults of the server; as long as it asks for, never longer than a minute."""
    taken, sleep = pauses
    gateway.answers[source.FEED_PATH] = [
        (503, {}),
        (429, {}, {"Retry-After": "7"}),
        (429, {}, {"Retry-After": "99999"}),
        (200, gateway.page(1, xml(SERVICE), last=True)),
    ]
    await fetch_feed(client, feed, Position(), io.BytesIO(), sleep=sleep)
    assert taken == [1.0, 7.0, 60.0]


async def test_a_service_that_is_down_is_named_and_what_was_there_stays(
    gateway: Gateway, client: httpx.AsyncClient, feed: Feed, pauses: Any, tmp_path: Path
) -> None:
    taken, sleep = pauses
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b"before")
    gateway.answers[source.FEED_PATH] = [(200, gateway.page(1, xml(SERVICE)))]
    gateway.answers["/feed/1"] = [(500, {})]
    with pytest.raises(SourceError, match="/feed/1: it answers 500") as caught, snapshot(path) as into:
        await fetch_feed(client, feed, Position(), into, sleep=sleep)
    assert path.read_bytes() == b"before"
    assert not path.with_name("pages.jsonl.part").exists()
    assert len(taken) == source.ATTEMPTS - 1
    assert "geheim" not in str(caught.value)
    gateway.answers["/feed/1"] = [(200, gateway.page(2, xml(), last=True))]
    with snapshot(path) as into:
        await fetch_feed(client, feed, Position(), into, sleep=sleep)
    assert len(path.read_bytes().splitlines()) == 2


async def test_nobody_there(client: httpx.AsyncClient, feed: Feed, pauses: Any) -> None:
    there = msgspec.structs.replace(feed, url="http://127.0.0.1:1", token_url="http://127.0.0.1:1/token")
    with pytest.raises(SourceError, match=r"it does not answer \(ConnectError\)"):
        await fetch_feed(client, there, Position(), io.BytesIO(), sleep=pauses[1])


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "https://me:secret@example.org", "https://["])
async def test_addresses_that_are_not_asked(url: str, client: httpx.AsyncClient, feed: Feed) -> None:
    with pytest.raises(SourceError) as caught:
        await fetch_feed(client, msgspec.structs.replace(feed, url=url), Position(), io.BytesIO())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b"\xff", b"[" * 100_000, b'{"xzufiObjekte": 1}'])
async def test_a_strange_answer_is_refused(
    answer: bytes, gateway: Gateway, client: httpx.AsyncClient, feed: Feed
) -> None:
    gateway.answers[source.FEED_PATH] = [(200, answer)]
    with pytest.raises(SourceError, match=source.FEED_PATH):
        await fetch_feed(client, feed, Position(), io.BytesIO())


async def test_an_answer_is_bounded(
    gateway: Gateway, client: httpx.AsyncClient, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_TOKEN_ANSWER", 100)
    gateway.answers["/token"] = [(200, b" " * 1000)]
    with pytest.raises(SourceError, match="the answer has more than 100 bytes"):
        await fetch_feed(client, feed, Position(), io.BytesIO())


async def test_pages_are_bounded(
    gateway: Gateway, client: httpx.AsyncClient, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_PAGES", 2)
    gateway.answers[source.FEED_PATH] = [(200, gateway.page(1, xml()))]
    gateway.answers["/feed/1"] = [(200, gateway.page(2, xml()))]
    with pytest.raises(SourceError, match="more than 2 pages"):
        await fetch_feed(client, feed, Position(), io.BytesIO())


def line_of(content: str) -> bytes:
    page = {"xzufiObjekte": content, "naechsterIndex": 1, "naechsteAnfrageUrl": "", "vollstaendig": False}
    return json.dumps(page).encode() + b"\n"


def test_a_page_that_cannot_be_read_is_named_and_none_counts() -> None:
    content = line_of(xml(SERVICE)) + line_of(xml(SERVICE)[:-20])
    with pytest.raises(SourceError, match="page 2, line 1"):
        changes(content)
    with pytest.raises(SourceError, match="page 2: "):
        changes(line_of(xml(SERVICE)) + b"{}\n")
    with pytest.raises(SourceError, match="more than 1 records"):
        changes(line_of(xml(SERVICE)) * 2, records=1)
    with pytest.raises(SourceError, match="more than 300 bytes"):
        changes(line_of(xml(SERVICE)) * 2, bytes=300)


# --- the search service ---------------------------------------------------------------------------------------


@pytest.fixture
def searched(gateway: Gateway) -> Search:
    gateway.answers |= {
        f"/v7/servicedescriptions/{ARS}": [
            (200, {"serviceDescriptions": {"content": [{"id": "L1.LB.7", "name": ""}]}})
        ],
        "/v6/servicedescriptions/L1.LB.7/detail": [(200, DETAIL)],
        "/v2/organisationunits/titles": [(200, UNITS)],
        "/v5/organisationunits/detail": [(200, UNIT)],
    }
    return Search(url=gateway.url, client_id="stadt")


async def test_the_services_of_an_area(gateway: Gateway, client: httpx.AsyncClient, searched: Search) -> None:
    into = io.BytesIO()
    assert await fetch_services(client, searched, [ARS], into) == 3
    into.seek(0)
    assert pvog.SEARCH.read is not None
    found = list(pvog.SEARCH.read({"answers": into}, Limits()))
    made = catalogue(found)
    [service] = made.services
    assert service.name == {"de": "Reisepass beantragen"}
    assert service.leika == ("99085001012000",)
    assert service.description == {"de": "<p>Für <strong>Reisen</strong>.</p>"}
    assert service.fee == {"de": "Gebühr\n\nab 24: 70,00 EUR"}
    assert [(one.code, one.text["de"]) for one in service.modules] == [("x-deadline", "Vor der Reise")]
    assert [(link.kind, link.url, link.areas) for link in service.links] == [
        ("online", "https://example.org/online", ("06611",)),
        ("form", "https://example.org/f", ()),
    ]
    [law] = service.legal_basis
    assert not isinstance(law, str)
    assert law.citation == "PassG"
    assert [(one.authority, one.role, one.area) for one in made.responsibilities] == [
        ("pvog-l1-oe-1-" + made.responsibilities[0].authority[-8:], "decides", "06611"),
        (made.responsibilities[1].authority, "contact", "06611"),
    ]
    assert {one.id for one in made.partners} == {one.authority for one in made.responsibilities}
    assert made.partners[0].address is not None
    assert (made.partners[0].address.street, made.partners[0].phone) == ("Am Markt 1", "0561 0")
    assert not mistakes(made)
    assert "'javascript:x' is no address" in next(one.notes for one in found if isinstance(one, Upsert))
    assert all(headers["pvog-sud-api-client-id"] == "stadt" for *_, headers in gateway.asked)
    listed = next(query for _, path, query, _ in gateway.asked if path.startswith("/v7/"))
    assert int(listed["size"][0]) >= 5


async def test_all_pages_of_the_list_are_asked_for(
    gateway: Gateway, client: httpx.AsyncClient, searched: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_SIZE", 5)
    names = [f"L1.LB.{number}" for number in range(7)]
    gateway.answers[f"/v7/servicedescriptions/{ARS}"] = [
        (200, {"serviceDescriptions": {"content": [{"id": name} for name in part]}}) for part in (names[:5], names[5:])
    ]
    gateway.answers |= {f"/v6/servicedescriptions/{name}/detail": [(200, DETAIL | {"id": name})] for name in names}
    into = io.BytesIO()
    await fetch_services(client, searched, [ARS], into)
    assert sum(path.endswith("/detail") and "LB" in path for path in gateway.paths()) == 7


async def test_a_key_that_is_none_is_not_asked_for(client: httpx.AsyncClient, searched: Search) -> None:
    with pytest.raises(ValueError, match="'06611000' is no key of an area with 12 digits"):
        await fetch_services(client, searched, ["06611000"], io.BytesIO())


def test_an_answer_that_cannot_be_read_is_one_refused_record() -> None:
    lines = [
        {"area": "06611", "service": {"id": 1}},
        {"area": "06611", "service": {"id": "a"}},
        {"unit_id": "b", "unit": {}},
        {"area": "06611", "service": DETAIL},
        {"area": "06611", "service": DETAIL},
    ]
    content = b"".join(json.dumps(one).encode() + b"\n" for one in lines)
    assert pvog.SEARCH.read is not None
    found = list(pvog.SEARCH.read({"answers": io.BytesIO(content)}, Limits()))
    assert [(one.place, one.reason) for one in found if isinstance(one, Refused)] == [
        ("answer 1", "Expected `str`, got `int` - at `$.id`"),
        ("answer 2", "it has neither a name nor a LeiKa key"),
        ("answer 3", "it has no name"),
    ]
    assert len([one for one in found if isinstance(one, Upsert)]) == 1
    with pytest.raises(SourceError, match="answer 1"):
        list(pvog.SEARCH.read({"answers": io.BytesIO(b"no json\n")}, Limits()))
