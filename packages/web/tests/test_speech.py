"""Speech: what is said and how, by espeak-ng where it is installed, and by programs that behave badly."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from servicepunkt.web.speech import MOST_LETTERS, Passage, Speaker, SpeechError, make_room, shortened, spoken, ssml

if TYPE_CHECKING:
    from conftest import Town, Visit

HELLO = [Passage("de", "Guten Tag.")]
# Writes what looks like a WAV file to the place after -w, and notes that it ran.
TOO_SHORT = 'while [ "$1" != "-w" ]; do shift; done; echo RIFF > "$2"'
WRITES = 'while [ "$1" != "-w" ]; do shift; done; cat > /dev/null; head -c 1000 /dev/zero > "$2"; echo x >> "$0.log"'


def require_espeak() -> None:
    if not shutil.which("espeak-ng"):
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail("espeak-ng is missing")
        pytest.skip("NOT RUN: espeak-ng is missing; sudo apt-get install espeak-ng")


@pytest.fixture
def fake(tmp_path: Path) -> Callable[..., Speaker]:
    """A speaker whose program is these lines of shell."""

    def make(lines: str, **options: object) -> Speaker:
        program = tmp_path / "fake"
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return Speaker(tmp_path / "cache", program=str(program), **options)  # type: ignore[arg-type]

    return make


# --- what is said --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("§ 9 PAuswG", "Paragraf 9 PAuswG."),
        ("§§ 1, 2", "Paragrafen 1, 2."),
        ("37,00 Euro", "37 Euro."),
        ("37,50 €", "37 Euro 50."),
        ("9,05 €", "9 Euro 5."),
        ("von 9.30 bis 20 Uhr", "von 9 Uhr 30 bis 20 Uhr."),
        ("um 09:30 Uhr", "um 9 Uhr 30."),
        ("10:00 Uhr", "10 Uhr."),
        ("Kai 1, 12345 Seeburg", "Kai 1, 1 2 3 4 5 Seeburg."),
        ("Rufen Sie 115 an!", "Rufen Sie 1 1 5 an!"),
        ("z. B. am Markt, Nr. 5", "zum Beispiel am Markt, Nummer 5."),
        ("Hauptstr. 5", "Hauptstraße 5."),
        ("Eins\nZwei", "Eins. Zwei."),
        ("[[a]] \x00", "[ [a]]."),
        ("[\u00ad[a", "[ [a."),
    ],
)
def test_signs_and_numbers_are_said_in_words(written: str, said: str) -> None:
    assert " ".join(spoken(written, "de").split()) == said


def test_english_has_words_of_its_own() -> None:
    assert spoken("e.g. § 5, 37.00 euros", "en") == "for example section 5, 37 euros."


def test_a_passage_in_another_language_has_its_voice() -> None:
    assert ssml([Passage("de", "Eins & zwei."), Passage("en", "Three.")], "de") == (
        '<speak><p>Eins &amp; zwei.</p><voice name="en-gb"><p>Three.</p></voice></speak>'
    )
    assert ssml([Passage("de", "Eins.")], "de-x-leicht") == "<speak><p>Eins.</p></speak>"


@given(st.lists(st.builds(Passage, st.sampled_from(["de", "en", "de-x-leicht", "uk"]), st.text(max_size=200))))
def test_whatever_stands_there_is_well_formed_and_not_too_long(passages: list[Passage]) -> None:
    said = ssml(passages, "de")
    words = "".join(etree.fromstring(said.encode()).itertext())
    assert len(words) <= MOST_LETTERS
    assert "[[" not in words


@given(st.text("ab. ", max_size=60), st.integers(0, 60))
def test_a_text_is_cut_behind_a_sentence(text: str, most: int) -> None:
    found = shortened(text, most)
    assert len(found) <= most
    assert not found.rstrip(".") or found[-1] == "." or text.replace(" ", "").startswith(found.replace(" ", ""))


# --- how it is made --------------------------------------------------------------------------------------------------


async def test_espeak_says_it_in_both_languages_and_slower_in_plain_language(tmp_path: Path) -> None:
    require_espeak()
    speaker = Speaker(tmp_path)
    lengths = {}
    for locale in ("de", "en", "de-x-leicht"):
        passages = [Passage(locale, "Guten Tag, das ist ein Satz."), Passage("en", "Good morning.")]
        _, path = await speaker.speech(passages, locale)
        with wave.open(str(path)) as sound:
            assert sound.getnchannels() == 1
            lengths[locale] = sound.getnframes() / sound.getframerate()
        assert path.stat().st_size == int.from_bytes(path.read_bytes()[4:8], "little") + 8, "the header says the length"
    assert 2 < lengths["de"] < lengths["de-x-leicht"] < 10


async def test_what_was_said_once_is_not_made_again(fake: Callable[..., Speaker], tmp_path: Path) -> None:
    speaker = fake(WRITES)
    digest, path = await speaker.speech(HELLO, "de")
    assert (digest, path) == await speaker.speech(HELLO, "de")
    assert (await speaker.speech(HELLO, "de-x-leicht"))[0] != digest
    assert (tmp_path / "fake.log").read_text() == "x\nx\n"


async def test_many_who_ask_for_the_same_wait_for_the_same(fake: Callable[..., Speaker], tmp_path: Path) -> None:
    speaker = fake("sleep 0.2\n" + WRITES)
    found = await asyncio.gather(*(speaker.speech(HELLO, "de") for _ in range(20)))
    assert len(set(found)) == 1
    assert (tmp_path / "fake.log").read_text() == "x\n"


async def test_one_who_goes_away_stops_nobody(fake: Callable[..., Speaker]) -> None:
    speaker = fake("sleep 0.2\n" + WRITES)
    impatient, patient = (asyncio.create_task(speaker.speech(HELLO, "de")) for _ in range(2))
    await asyncio.sleep(0.05)
    impatient.cancel()
    assert (await patient)[1].exists()


async def test_at_most_two_are_made_at_once(fake: Callable[..., Speaker], tmp_path: Path) -> None:
    count = 'mkdir "$0.d" 2>/dev/null; touch "$0.d/$$"; ls "$0.d" | wc -l >> "$0.most"; sleep 0.1; rm "$0.d/$$"\n'
    speaker = fake(count + WRITES)
    await asyncio.gather(*(speaker.speech([Passage("de", f"Satz {number}")], "de") for number in range(6)))
    seen = [int(line) for line in (tmp_path / "fake.most").read_text().split()]
    assert len(seen) == 6
    assert max(seen) == 2


async def test_more_than_can_wait_are_refused(fake: Callable[..., Speaker]) -> None:
    speaker = fake("sleep 0.2\n" + WRITES, most_waiting=1)
    asked = (speaker.speech([Passage("de", f"Satz {number}")], "de") for number in range(6))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, SpeechError) for one in found) == 3


@pytest.mark.parametrize("lines", ["exec sleep 60", "exit 1", "exit 0", TOO_SHORT, "kill -9 $$"])
async def test_a_program_that_fails_leaves_nothing_behind(
    fake: Callable[..., Speaker], tmp_path: Path, lines: str
) -> None:
    speaker = fake(lines, most_seconds=0.5)
    for _ in range(2):
        with pytest.raises(SpeechError):
            await speaker.speech(HELLO, "de")
    assert list((tmp_path / "cache").iterdir()) == []
    assert await fake(WRITES).speech(HELLO, "de"), "and the next one is not kept from trying"


def test_what_was_not_asked_for_the_longest_makes_room(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    (tmp_path / "other.part").write_bytes(bytes(1000))
    make_room(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.wav", "4.wav", "other.part"]


async def test_what_is_asked_for_again_stays(fake: Callable[..., Speaker]) -> None:
    speaker = fake(WRITES, most_bytes=2500)
    first, second = [[Passage("de", name)] for name in ("eins", "zwei")]
    path = (await speaker.speech(first, "de"))[1]
    other = (await speaker.speech(second, "de"))[1]
    os.utime(path, (1, 1))
    await speaker.speech(first, "de")
    os.utime(other, (2, 2))
    await speaker.speech(HELLO, "de")
    assert path.exists()
    assert not other.exists()


def test_without_the_program_nobody_speaks(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path, program="there-is-no-such-program")
    assert speaker.address("/service/a/speech.wav", "de") == ""
    assert not speaker.speaks("de")


# --- how browsers get it ---------------------------------------------------------------------------------------------


def speaker_of(town: Town) -> Speaker:
    found: Speaker = town.app._app._app._app.state["speech"]  # type: ignore[attr-defined]
    return found


def player(text: str) -> str | None:
    found = re.search(r'<audio controls preload="none" src="([^"]+)"', text)
    return found[1].replace("&amp;", "&") if found else None


@pytest.mark.parametrize("place", ["", "/k"])
async def test_pages_have_a_player_that_says_the_page(terminal: Visit, place: str) -> None:
    require_espeak()
    for path in ("/service/card", "/service/card/checklist", "/service/card/checklist?case=1234"):
        address = player((await terminal.get(f"/t/alpha{place}{path}")).text)
        assert address
        answer = await terminal.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "audio/wav"
        assert answer.headers["accept-ranges"] == "bytes"
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert answer.content[:4] == b"RIFF"


async def test_a_part_is_sent_when_a_part_is_asked_for(terminal: Visit) -> None:
    require_espeak()
    address = "/t/alpha/k/service/card/speech.wav?voice=de"
    whole = await terminal.get(address)
    etag = whole.headers["etag"]
    part = await terminal.get(address, headers={"range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert (await terminal.get(address, headers={"range": "bytes=999999999-"})).status_code == 416
    assert (await terminal.get(address, headers={"if-none-match": etag})).status_code == 304
    assert (await terminal.get(address, headers={"range": "bytes=0-", "if-range": '"x"'})).status_code == 200


@pytest.mark.parametrize("voice", ["fr", "de-x-leicht", "../x", "de'"])
async def test_voices_that_the_town_does_not_have_are_not_found(visit: Visit, voice: str) -> None:
    assert (await visit.get("/t/alpha/service/card/speech.wav", params={"voice": voice})).status_code == 404


async def test_without_the_program_there_is_no_button(here: Town, terminal: Visit) -> None:
    speaker_of(here).program = None
    text = (await terminal.get("/t/alpha/k/service/card")).text
    assert "<audio" not in text
    assert "Vorlesen" not in text
    assert (await terminal.get("/t/alpha/k/service/card/speech.wav?voice=de")).status_code == 404


async def test_a_program_that_fails_is_an_error_page(here: Town, terminal: Visit, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    speaker_of(here).program = str(broken)
    answer = await terminal.get("/t/alpha/k/service/tour/speech.wav?voice=de")
    assert answer.status_code == 503
