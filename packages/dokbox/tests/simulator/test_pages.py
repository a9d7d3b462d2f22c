"""The pages of a cabinet: its picture, its state, acts and faults as requests, and changes as they come."""

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

import pytest

pytest.importorskip("litestar", reason="litestar is not installed: the pages need servicepunkt-dokbox[service]")
import uvicorn
from litestar import Litestar
from litestar.testing import TestClient

from servicepunkt.dokbox.simulator import (
    Cabinet,
    Compartment,
    Delay,
    KrCu16Boards,
    Line,
    StuckLatch,
    StuckSensor,
    Unplugged,
)
from servicepunkt.dokbox.simulator.pages import create_simulator_app
from servicepunkt.dokbox.simulator.picture import TEXTS, WORDS_OF_SCRIPT, possible_acts

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
POLICY = "default-src 'self'"


@pytest.fixture
def cabinet() -> Cabinet:
    return Cabinet(restored=[Compartment(2, item=True), Compartment(3, closed=False, latched=False)])


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "dokbox"


@pytest.fixture
def line(cabinet: Cabinet, link: Path) -> Iterator[Line]:
    with Line(KrCu16Boards(cabinet, Random(1)), link=link, baud=None) as line:
        yield line


@pytest.fixture
def client(cabinet: Cabinet, line: Line) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_simulator_app(cabinet, line)) as client:
        client.follow_redirects = False
        yield client


def cells(html: str) -> dict[int, str]:
    parts = re.split(r'<g class="cell (?=[^>]*id="c(\d+)")', html)[1:]
    return {int(number): cell for number, cell in zip(parts[::2], parts[1::2], strict=True)}


def visible_acts(cell: str) -> set[str]:
    return set(re.findall(r'<button class="(\w+)" aria-label="[^"]*"><span>', cell))


def test_the_picture_shows_every_compartment(client: TestClient[Litestar]) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    drawn = cells(answer.text)
    assert list(drawn) == list(range(1, 49))
    assert drawn[1].startswith("is-shut is-bare")
    assert drawn[2].startswith("is-shut is-full")
    assert drawn[3].startswith("is-ajar is-bare")
    assert 'aria-label="Fach 3: offen, leer"' in drawn[3]
    assert visible_acts(drawn[1]) == visible_acts(drawn[2]) == {"force"}
    assert visible_acts(drawn[3]) == {"close", "put"}


def test_compartments_stand_in_columns(client: TestClient[Litestar]) -> None:
    places = re.findall(r'id="c(\d+)" transform="translate\((\d+) (\d+)\)"', client.get("/").text)
    place = {int(number): (int(x), int(y)) for number, x, y in places}
    assert place[1][0] == place[8][0] < place[9][0] == place[16][0]
    assert place[1][1] == place[9][1] < place[2][1] < place[8][1]


def test_two_languages_say_the_same_things(client: TestClient[Litestar]) -> None:
    assert TEXTS["de"].keys() == TEXTS["en"].keys()
    assert set(WORDS_OF_SCRIPT) <= TEXTS["de"].keys()
    english = client.get("/?lang=en").text
    assert '<html lang="en">' in english
    assert 'aria-label="Compartment 3: open, empty"' in english
    assert 'action="compartments/3/close?lang=en"' in english
    assert '<html lang="de">' in client.get("/").text
    assert client.get("/?lang=fr").status_code == 400


@pytest.mark.parametrize(
    ("compartment", "acts"),
    [
        (Compartment(1), {"force"}),
        (Compartment(1, latched=False), {"open"}),
        (Compartment(1, closed=False, latched=False), {"close", "put"}),
        (Compartment(1, closed=False, latched=False, item=True), {"close", "take"}),
    ],
)
def test_acts_on_offer(compartment: Compartment, acts: set[str]) -> None:
    assert possible_acts(compartment) == acts


def test_strict_policy_and_nothing_inline(client: TestClient[Litestar]) -> None:
    answer = client.get("/")
    assert answer.headers["content-security-policy"].startswith(POLICY + ";")
    assert answer.headers["cache-control"] == "no-store"
    assert re.search(r"\sstyle=|<style|\son\w+=|https?://", answer.text) is None
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", answer.text, re.DOTALL)
    assert scripts == [""]


def test_static_files_are_kept_without_cookies(client: TestClient[Litestar]) -> None:
    addresses = re.findall(r'(?:href|src)="(static/[^"]+)"', client.get("/").text)
    assert len(addresses) == 3
    for address in addresses:
        answer = client.get("/" + address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "max-age=31536000, public, immutable"
        assert answer.headers["content-security-policy"].startswith(POLICY)
        assert "set-cookie" not in answer.headers
        assert "etag" in answer.headers
        assert re.search(r"\?v=[0-9a-f]{12}$", address)


def test_state(client: TestClient[Litestar], cabinet: Cabinet) -> None:
    cabinet.set_faults(StuckLatch(1), Delay(0.5), time=0)
    cabinet.pulse(1, time=0)
    state = client.get("/state").json()
    assert set(state) == {"compartments", "faults", "plugged"}
    assert len(state["compartments"]) == 48
    assert state["compartments"][0] == {
        "number": 1,
        "closed": True,
        "item": False,
        "latched": True,
        "pulses": 1,
    }
    assert state["faults"] == [
        {"kind": "stuck_latch", "compartment": 1},
        {"kind": "delay", "seconds": 0.5},
    ]
    assert state["plugged"] is True


def test_acts_from_programs_answer_the_new_state(client: TestClient[Litestar], cabinet: Cabinet) -> None:
    steps = [("put", 3), ("take", 3), ("put", 3), ("close", 3), ("force", 2), ("take", 2), ("close", 2)]
    for act, number in steps:
        answer = client.post(f"/compartments/{number}/{act}")
        assert answer.status_code == 200
        assert len(answer.json()["compartments"]) == 48
    assert cabinet.compartment(3) == Compartment(3, item=True)
    assert cabinet.compartment(2) == Compartment(2)


def test_pulling_open_what_has_no_latch(client: TestClient[Litestar], cabinet: Cabinet) -> None:
    client.post("/faults", json={"faults": [{"kind": "weak_spring", "compartment": 1}]})
    cabinet.pulse(1, time=0)
    assert client.post("/compartments/1/open").status_code == 200
    assert not cabinet.compartment(1).closed


def test_impossible_acts_are_problems(client: TestClient[Litestar], cabinet: Cabinet) -> None:
    before = cabinet.compartments
    answer = client.post("/compartments/1/close")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-security-policy"].startswith(POLICY)
    assert answer.json()["refusal"] == "door_shut"
    missing = client.post("/compartments/49/force")
    assert (missing.status_code, missing.json()["refusal"]) == (404, "no_such_compartment")
    assert client.post("/compartments/1/explode").status_code == 400
    assert client.get("/compartments/1/force").status_code == 405
    assert cabinet.compartments == before


def test_forms_of_a_browser_lead_back_to_the_page(client: TestClient[Litestar], cabinet: Cabinet) -> None:
    answer = client.post("/compartments/3/put?lang=en", headers=BROWSER)
    assert answer.status_code == 303
    assert answer.headers["location"] == "../../?lang=en#c3"
    assert cabinet.compartment(3).item
    again = client.post("/compartments/3/put?lang=en", headers=BROWSER, follow_redirects=True)
    assert again.status_code == 200
    assert TEXTS["en"]["occupied"] in again.text
    assert TEXTS["en"]["occupied"] not in re.sub(r"<main[^>]*>", "", client.get("/?lang=en").text)


def test_faults_are_set_whole(client: TestClient[Litestar], cabinet: Cabinet) -> None:
    faults = [{"kind": "stuck_sensor", "compartment": 4, "reads": False}, {"kind": "delay", "seconds": 1}]
    answer = client.post("/faults", json={"faults": faults})
    assert answer.status_code == 200
    assert answer.json()["faults"] == [faults[0], {"kind": "delay", "seconds": 1.0}]
    assert list(cabinet.faults) == [StuckSensor(4, reads=False), Delay(1.0)]
    assert client.post("/faults", json={"faults": []}).json()["faults"] == []
    assert not cabinet.faults


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"faults": [{"kind": "stuck_latch"}]}, 400),
        ({"faults": [{"kind": "stuck_latch", "compartment": 1, "more": 1}]}, 400),
        ({"faults": [{"kind": "gremlins"}]}, 400),
        ({"faults": [{"kind": "no_reply", "times": 0}]}, 400),
        ({"faults": [{"kind": "delay", "seconds": -1}]}, 400),
        ({"faults": [], "more": 1}, 400),
        ({}, 400),
        ({"faults": [{"kind": "echo"}, {"kind": "stuck_latch", "compartment": 49}]}, 404),
    ],
)
def test_wrong_faults_are_refused_whole(
    client: TestClient[Litestar], cabinet: Cabinet, body: dict[str, Any], status: int
) -> None:
    answer = client.post("/faults", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert cabinet.faults == ()


def test_the_plug_is_pulled_and_put_back(client: TestClient[Litestar], cabinet: Cabinet, link: Path) -> None:
    assert client.post("/line/unplug").json()["plugged"] is False
    assert cabinet.faults == (Unplugged(),)
    assert not link.is_symlink()
    page = client.get("/").text
    assert 'class="lamp out"' in page
    assert TEXTS["de"]["unplugged"] in page
    answer = client.post("/line/plug", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "../?lang=de#line")
    assert link.is_symlink()


@contextmanager
def served(app: Litestar) -> Iterator[int]:
    """A real server on a free port of the loopback."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = monotonic() + 10
    while not server.started and monotonic() < deadline:
        sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def next_event(stream: http.client.HTTPResponse) -> tuple[str, dict[str, Any]]:
    fields: dict[str, str] = {}
    while text := stream.readline().decode().rstrip("\r\n"):
        name, _, value = text.partition(": ")
        fields[name] = value
    return fields["event"], json.loads(fields["data"])


def test_changes_come_as_events(cabinet: Cabinet, line: Line) -> None:
    with served(create_simulator_app(cabinet, line)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/events")
        stream = connection.getresponse()
        assert stream.headers["content-type"].startswith("text/event-stream")
        event, state = next_event(stream)
        assert event == "state"
        assert state["compartments"][0]["closed"] is True
        cabinet.pulse(1, time=0)
        assert next_event(stream)[1]["compartments"][0]["pulses"] == 1
        line.unplug()
        assert next_event(stream)[1]["plugged"] is False
        line.stop()
        assert stream.read() == b""
        connection.close()


def test_a_reader_that_leaves_is_forgotten(cabinet: Cabinet, line: Line) -> None:
    watchers = len(cabinet._watchers)
    with served(create_simulator_app(cabinet, line)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/events")
        stream = connection.getresponse()
        next_event(stream)
        assert len(cabinet._watchers) == watchers + 1
        stream.close()
        connection.close()
        deadline = monotonic() + 10
        while len(cabinet._watchers) > watchers and monotonic() < deadline:
            sleep(0.01)
        assert len(cabinet._watchers) == watchers
