"""Text made into speech on the server by espeak-ng, kept on disk: browsers at terminals have no voices of their own.

Only texts of the catalogue are spoken, never anything that a person typed. What was spoken once is found by the digest
of voice and text; what has not been asked for the longest makes room.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import msgspec
import structlog

from servicepunkt.core.errors import ServicepunktError

log = structlog.get_logger(__name__)

PROGRAM = "espeak-ng"
MOST_LETTERS = 3000
MOST_SECONDS = 20.0
AT_ONCE, MOST_WAITING = 2, 6
MOST_BYTES = 256 * 1024 * 1024
HEADER_BYTES = 44
EDITION = "1"
"""Part of every digest: a change of the tables below makes everything be spoken anew."""


class Voice(msgspec.Struct, frozen=True):
    """A voice of espeak-ng and its words in a minute."""

    name: str
    speed: int


VOICES = {"de": Voice("de", 145), "en": Voice("en-gb", 150), "de-x-leicht": Voice("de", 115)}
#: What stands in texts and how it is said, by language; the first that fits wins.
SPOKEN: dict[str, tuple[tuple[re.Pattern[str], str], ...]] = {
    language: tuple((re.compile(pattern), said) for pattern, said in table)
    for language, table in {
        "de": (
            (r"§§\s*", "Paragrafen "),
            (r"§\s*", "Paragraf "),
            (r"\bAbs\.\s*(?=\d)", "Absatz "),
            (r"\bNr\.\s*(?=\d)", "Nummer "),
            (r"\bz\.\s?B\.", "zum Beispiel"),
            (r"\bd\.\s?h\.", "das heißt"),
            (r"\bu\.\s?a\.", "unter anderem"),
            (r"\bggf\.", "gegebenenfalls"),
            (r"\bbzw\.", "beziehungsweise"),
            (r"\bca\.", "etwa"),
            (r"\binkl\.", "inklusive"),
            (r"\bTel\.:?", "Telefon"),
            (r"(\w)(?:str|Str)\.(?=\s*\d)", r"\1straße"),
            (r"\b(\d+),00\s?(?:€|Euro|EUR)", r"\1 Euro"),
            (r"\b(\d+),0?(\d+)\s?(?:€|Euro|EUR)", r"\1 Euro \2"),
            (r"€|\bEUR\b", "Euro"),
            (r"\b(\d{1,2})[.:]00(?=\s*(?:Uhr|bis))", r"\1"),
            (r"\b0?(\d{1,2})[.:](\d\d)\s*Uhr", r"\1 Uhr \2"),
            (r"\b0?(\d{1,2})[.:](\d\d)(?=\s*bis)", r"\1 Uhr \2"),
        ),
        "en": (
            (r"§§\s*", "sections "),
            (r"§\s*", "section "),
            (r"\be\.\s?g\.", "for example"),
            (r"\bi\.\s?e\.", "that is"),
            (r"\b(\d+)[.,]00\s?(?:€|euros|EUR)", r"\1 euros"),
            (r"€|\bEUR\b", "euros"),
        ),
    }.items()
}
# Postcodes, telephone numbers and 115 are said figure by figure.
FIGURES = re.compile(r"\b(?:115|\d{5}|0\d{2,})\b")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
SENTENCE = re.compile(r"(?<=[.!?:])\s")


class SpeechError(ServicepunktError):
    """espeak-ng failed or took too long, or too many texts are being spoken for the first time."""

    code = "SP7005"
    status = 503
    citizen = "This cannot be read aloud at the moment."
    staff = "The text could not be made into speech."
    next_step = "Please try again in a minute, or ask a member of staff."


class Passage(msgspec.Struct, frozen=True):
    """Something to say, in the language in which it is written."""

    language: str
    text: str


class Speaker:
    """Speech of one process. `program` is espeak-ng, or what a test puts in its place."""

    def __init__(
        self,
        folder: Path,
        *,
        program: str = PROGRAM,
        most_bytes: int = MOST_BYTES,
        most_seconds: float = MOST_SECONDS,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.program = shutil.which(program)
        self._folder = folder
        self._most_bytes, self._most_seconds, self._most_waiting = most_bytes, most_seconds, most_waiting
        self._places = asyncio.Semaphore(at_once)
        self._making: dict[str, asyncio.Task[None]] = {}

    def speaks(self, locale: str) -> bool:
        return self.program is not None and locale in VOICES

    def address(self, path: str, locale: str) -> str:
        """The address of a speech with its voice, empty where there is none: then no button is shown."""
        voice = f"{'&' if '?' in path else '?'}voice={quote(locale)}"
        return path + voice if self.speaks(locale) else ""

    async def speech(self, passages: Iterable[Passage], locale: str) -> tuple[str, Path]:
        """(digest, WAV file). Raises SpeechError."""
        said = ssml(passages, locale)
        name = hashlib.sha256(f"{EDITION}\n{VOICES[locale]}\n{said}".encode()).hexdigest()
        path = self._folder / f"{name}.wav"
        if not _touched(path):
            await self._made_once(name, said, locale, path)
        return name, path

    async def _made_once(self, name: str, said: str, locale: str, path: Path) -> None:
        """Several who ask for the same wait for the same; one of them going away stops nothing."""
        task = self._making.get(name)
        if task is None:
            if len(self._making) >= AT_ONCE + self._most_waiting:
                raise SpeechError("too many texts wait to be spoken")
            task = self._making[name] = asyncio.create_task(self._make(said, locale, path))
            task.add_done_callback(lambda _: self._making.pop(name, None))
        await asyncio.shield(task)

    async def _make(self, said: str, locale: str, path: Path) -> None:
        async with self._places:
            made = await asyncio.to_thread(_begun, self._folder)
            try:
                await self._run(said, VOICES[locale], made)
                await asyncio.to_thread(_finish, made, path)
            finally:
                await asyncio.to_thread(made.unlink, missing_ok=True)
            await asyncio.to_thread(make_room, self._folder, self._most_bytes)

    async def _run(self, said: str, voice: Voice, made: Path) -> None:
        """Raises SpeechError."""
        if self.program is None:
            raise SpeechError(f"{PROGRAM} is not installed")
        process = await asyncio.create_subprocess_exec(
            self.program,
            *("-v", voice.name, "-s", str(voice.speed), "-b", "1", "-m", "--stdin", "-w", str(made)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.communicate(said.encode()), self._most_seconds)
        except TimeoutError:
            raise SpeechError("speaking took too long") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            log.warning("speech_failed", returncode=process.returncode)
            raise SpeechError(f"{PROGRAM} ended with {process.returncode}")


def ssml(passages: Iterable[Passage], locale: str) -> str:
    """What espeak-ng is given: each passage a paragraph in the voice of its language, no more than MOST_LETTERS."""
    own, left, parts = locale.partition("-")[0], MOST_LETTERS, []
    for passage in passages:
        language = passage.language.partition("-")[0]
        text = shortened(spoken(passage.text, language), left)
        if not text:
            continue
        left -= len(text)
        said = f"<p>{escape(text)}</p>"
        other = VOICES.get(language) if language != own else None
        parts.append(f'<voice name="{other.name}">{said}</voice>' if other else said)
    return f"<speak>{''.join(parts)}</speak>"


def spoken(text: str, language: str) -> str:
    """Text as it is said: signs and short forms in words; each line ends like a sentence."""
    lines = (CONTROL.sub(" ", line.replace("\u00ad", "")).strip() for line in text.split("\n"))
    text = " ".join(line if line[-1] in ".!?:;," else f"{line}." for line in lines if line)
    # espeak-ng takes what stands in double brackets for sounds instead of letters.
    text = text.replace("[[", "[ [")
    for pattern, said in SPOKEN.get(language, ()):
        text = pattern.sub(said, text)
    return FIGURES.sub(lambda found: " ".join(found[0]), text).strip()


def shortened(text: str, most: int) -> str:
    """As many whole sentences as fit."""
    if len(text) <= most:
        return text
    kept = ""
    for sentence in SENTENCE.split(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > most:
            break
        kept = longer
    return kept


def make_room(folder: Path, most: int) -> None:
    """Delete what was not asked for the longest until no more than `most` bytes are left."""
    found = []
    for path in folder.glob("*.wav"):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append((state.st_mtime_ns, state.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size


def _begun(folder: Path) -> Path:
    """An empty file in the folder, for what is not finished yet."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(handle)
    return Path(made)


def _finish(made: Path, path: Path) -> None:
    """Raises SpeechError for a file that holds no sound."""
    if made.stat().st_size <= HEADER_BYTES:
        raise SpeechError(f"{PROGRAM} wrote nothing")
    made.replace(path)


def _touched(path: Path) -> bool:
    """Whether the file is there; it counts as asked for now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
