"""A sheet as A4: tagged, in a typeface that the PDF brings along, with boxes to tick and a code that leads to the page.

The typeface is KERN's Fira Sans (OFL 1.1), of which the PDF holds the letters that it uses. fpdf2 tags images and
links only; headings and paragraphs are tagged here, beside each other and not within each other.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import cast

import segno
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos
from fpdf.fonts import TTFFont
from fpdf.prefs import ViewerPreferences

from servicepunkt.web.sheet import Line, Section, Sheet

FACES = Path(__file__).parent / "static" / "vendor" / "kern" / "fonts" / "fira-sans"
REGULAR, BOLD = "FiraSans-Regular.woff2", "FiraSans-SemiBold.woff2"
SHEETS_KEPT = 64
CLOSER = (0.7, 0.45)
# Millimetres.
WIDTH, HEIGHT = 210.0, 297.0
LEFT, RIGHT, TOP, BOTTOM = 22.0, 20.0, 16.0, 19.0
CODE, GAP, INDENT, BULLET, BOX = 30.0, 8.0, 7.5, 5.2, 4.2
# (points, millimetres from line to line)
TITLE, HEADING, SUBHEADING, TEXT, SMALL = (22.0, 9.2), (13.0, 6.2), (11.0, 5.3), (11.0, 5.3), (9.5, 4.6)
INK, MUTED, RULE = (20, 22, 32), (84, 88, 104), (176, 180, 192)
#: What typefaces often lack, and what means the same.
INSTEAD = {"\u202f": "\u00a0", "\u2009": " ", "\u200a": " ", "\u2011": "-", "\u200b": "", "\u00ad": "", "\ufeff": ""}


class Press:
    """Makes PDFs, one at a time. One for a process."""

    def __init__(self, fonts: Path) -> None:
        self._fonts = fonts
        self._one_at_a_time = asyncio.Semaphore(1)

    async def print(self, sheet: Sheet) -> bytes:
        async with self._one_at_a_time:
            return await asyncio.to_thread(pdf, sheet, self._fonts)


@lru_cache(maxsize=SHEETS_KEPT)
def pdf(sheet: Sheet, fonts: Path) -> bytes:
    """The sheet as a PDF. `fonts` is a folder in which the typeface is kept once it has been unpacked."""
    faces = typeface(REGULAR, fonts), typeface(BOLD, fonts)
    paper = written(sheet, faces, air=1.0)
    for air in CLOSER if paper.page_no() > 1 else ():
        # What nearly fits on fewer pages does so with less air between the lines.
        closer = written(sheet, faces, air=air)
        if closer.page_no() < paper.page_no():
            paper.close_faces()
            paper = closer
            break
        closer.close_faces()
    try:
        return bytes(paper.output())
    finally:
        paper.close_faces()


def written(sheet: Sheet, faces: tuple[Path, Path], *, air: float) -> Paper:
    """The sheet on as many pages as it takes."""
    paper = Paper(sheet, faces, air=air)
    paper.write_head()
    for section in sheet.sections:
        paper.write_section(section)
    paper.write_source()
    return paper


def typeface(name: str, folder: Path) -> Path:
    """The unpacked file of a typeface: unpacking takes most of a second, so it is done once."""
    packed = (FACES / name).read_bytes()
    path = folder / f"{hashlib.sha256(packed).hexdigest()[:16]}.ttf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TTFont(FACES / name) as font, tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            font.flavor = None
            font.save(file)
        Path(file.name).replace(path)
    return path


class Paper(FPDF):
    """An A4 document that is written from top to bottom."""

    def __init__(self, sheet: Sheet, faces: tuple[Path, Path], *, air: float) -> None:
        super().__init__(format="A4")
        # Fira Sans is older than a detail of its header that fontTools would mention with every sheet.
        logging.getLogger("fontTools").setLevel(logging.ERROR)
        self.sheet = sheet
        self._air = air
        self.add_font("Fira Sans", "", faces[0])
        self.add_font("Fira Sans", "B", faces[1])
        face = self.fonts["fira sans"]
        self._known = set(face.cmap) if isinstance(face, TTFFont) else set()
        self.set_margins(LEFT, TOP, RIGHT)
        self.set_auto_page_break(auto=False)
        self.c_margin = 0
        self.set_lang(sheet.locale.partition("-")[0])
        self.set_title(self._printable(f"{sheet.title} – {sheet.kind}"))
        self.set_author(self._printable(sheet.issuer))
        self.set_creator("Servicepunkt")
        self.set_creation_date(datetime.combine(sheet.day, time(), UTC))
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.add_page()

    # --- what stands on it -----------------------------------------------------------------------------------------

    def write_head(self) -> None:
        """Who it is from, what it is, in short, and the code beside it."""
        width = WIDTH - LEFT - RIGHT - CODE - GAP
        self._code()
        self._flow(f"{self.sheet.issuer} · {self.sheet.kind}", "P", SMALL, colour=MUTED, width=width)
        self._gap(1.5)
        self._flow(self.sheet.title, "H1", TITLE, bold=True, width=width)
        self._gap(2)
        for line in self.sheet.lead:
            self._line(line, width=width)
        self.y = max(self.y, TOP + CODE + 6)

    def write_section(self, section: Section) -> None:
        first = section.lines[0]
        self._keep(5.6 + HEADING[1] + TEXT[1] * (3 if first.kind == "heading" else 2))
        if self.y > TOP:
            self._gap(3.0)
        with self._artifact():
            self.set_draw_color(*RULE)
            self.set_line_width(0.25)
            self.line(LEFT, self.y, WIDTH - RIGHT, self.y)
        self._gap(2.2)
        self._flow(section.title, "H2", HEADING, bold=True)
        self._gap(0.4)
        for line in section.lines:
            self._line(line)

    def write_source(self) -> None:
        """Where the same stands on the web, with the newest state."""
        self._keep(12)
        self._gap(6)
        self._flow(self.sheet.address, "P", SMALL, colour=MUTED)

    def footer(self) -> None:
        """What it was made of, and the number of the page; not part of the text that is read out."""
        words = self.sheet.page_words.format(page=self.page_no(), pages="{nb}")
        with self._artifact():
            self._style(SMALL, colour=MUTED)
            self.set_xy(LEFT, HEIGHT - 14)
            self.cell(60, SMALL[1], self._printable(words))
            self.set_xy(LEFT + 60, HEIGHT - 14)
            self.cell(WIDTH - LEFT - RIGHT - 60, SMALL[1], self._printable(self.sheet.source), align="R")

    def close_faces(self) -> None:
        """fpdf2 leaves the files of its typefaces open."""
        for face in self.fonts.values():
            if isinstance(face, TTFFont):
                face.ttfont.close()

    # --- how it gets there -----------------------------------------------------------------------------------------

    def _line(self, line: Line, *, width: float = WIDTH - LEFT - RIGHT) -> None:
        indent = INDENT if line.kind == "tick" else line.depth * BULLET
        if line.kind == "heading":
            self._keep(SUBHEADING[1] * 3)
            self._gap(1.2)
            self._flow(line.text, "H3", SUBHEADING, bold=True, width=width)
            return
        self._gap(1.6 if line.kind == "tick" else 0.4)
        self._keep(min(len(self._lines(line.text, TEXT, width - indent)), 4) * TEXT[1])
        if line.kind == "tick":
            self._tick()
        elif line.kind == "item":
            self._bullet(f"{line.number}." if line.number else "•", indent)
        text = f"{line.text} ({line.mark})" if line.mark else line.text
        self._flow(text, "P", TEXT, indent=indent, width=width)
        if line.note:
            self._flow(line.note, "P", SMALL, colour=MUTED, indent=indent, width=width)
        if line.kind == "paragraph":
            self._gap(0.8)

    def _flow(
        self,
        text: str,
        tag: str,
        size: tuple[float, float],
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
        indent: float = 0,
        width: float = WIDTH - LEFT - RIGHT,
    ) -> None:
        """Text in as many lines as it takes, over as many pages as it takes; each page's part has a tag of its own."""
        lines, height = self._lines(text, size, width - indent, bold=bold), size[1]
        while lines:
            self._keep(height * min(2, len(lines)))
            room = max(1, int((HEIGHT - BOTTOM - self.y) // height))
            part, lines = lines[:room], lines[room:]
            self._style(size, bold=bold, colour=colour)
            with self._tagged(tag):
                for one in part:
                    self.set_x(LEFT + indent)
                    self.cell(width - indent, height, one, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _lines(self, text: str, size: tuple[float, float], width: float, *, bold: bool = False) -> list[str]:
        self._style(size, bold=bold)
        found = self.multi_cell(
            width, size[1], self._printable(text), dry_run=True, output=MethodReturnValue.LINES, align="L"
        )
        return [one.rstrip() for one in cast("list[str]", found)]

    def _style(self, size: tuple[float, float], *, bold: bool = False, colour: tuple[int, int, int] = INK) -> None:
        self.set_font("Fira Sans", "B" if bold else "", size[0])
        self.set_text_color(*colour)

    def _gap(self, height: float) -> None:
        self.ln(height * self._air)

    def _keep(self, height: float) -> None:
        """Go on the next page where what belongs together does not fit on this one."""
        if self.y + height > HEIGHT - BOTTOM and self.y > TOP:
            self.add_page()

    def _tick(self) -> None:
        with self._artifact():
            self.set_draw_color(*INK)
            self.set_line_width(0.35)
            self.rect(LEFT + 0.2, self.y + (TEXT[1] - BOX) / 2, BOX, BOX)

    def _bullet(self, sign: str, indent: float) -> None:
        with self._artifact():
            self._style(TEXT)
            self.set_x(LEFT + indent - BULLET)
            self.cell(BULLET, TEXT[1], sign)
            self.set_x(LEFT)

    def _code(self) -> None:
        matrix = segno.make(self.sheet.address, error="m", micro=False).matrix
        side, left = CODE / len(matrix), WIDTH - RIGHT - CODE
        self.set_fill_color(0)
        with self._tagged("Figure", words=self.sheet.address_words):
            for row, cells in enumerate(matrix):
                for start, length in _runs(cells):
                    self.rect(left + start * side, TOP + row * side, length * side, side, style="F")
        self.set_xy(left, TOP + CODE + 1.2)
        self._style((8.0, 3.6), colour=MUTED)
        with self._artifact():
            self.cell(CODE, 3.6, self._printable(self.sheet.address_words), align="R")
        self.set_xy(LEFT, TOP)

    def _printable(self, text: str) -> str:
        """Text in letters that the typeface has: what means the same in place of others, else a question mark."""
        return "".join(self._letters(letter) for letter in unicodedata.normalize("NFC", text))

    def _letters(self, letter: str) -> str:
        if letter == "\n" or (letter not in INSTEAD and ord(letter) in self._known):
            return letter
        instead = INSTEAD.get(letter, unicodedata.normalize("NFKC", letter))
        return instead if all(ord(one) in self._known for one in instead) else "?"

    @contextmanager
    def _tagged(self, tag: str, words: str | None = None) -> Iterator[None]:
        """What is written within is one element of the document's structure; `words` stand for a picture."""
        mcid = self.struct_builder.next_mcid_for_page(self.page)
        self._add_marked_content(struct_type=f"/{tag}", mcid=mcid, alt_text=words)
        self._out(f"/{tag} <</MCID {mcid}>> BDC")
        yield
        self._out("EMC")

    @contextmanager
    def _artifact(self) -> Iterator[None]:
        """What is written within is not read out."""
        self._out("/Artifact BMC")
        yield
        self._out("EMC")


def _runs(cells: bytearray) -> Iterator[tuple[int, int]]:
    """(start, length) of the dark stretches of a row."""
    start = None
    for place, dark in enumerate([*cells, 0]):
        if dark and start is None:
            start = place
        elif not dark and start is not None:
            yield start, place - start
            start = None
