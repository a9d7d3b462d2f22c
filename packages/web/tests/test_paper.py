"""A sheet as A4, read again by a foreign library and by poppler."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path

import msgspec
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.web.paper import Press, pdf, typeface
from servicepunkt.web.sheet import Line, Section, Sheet

TICKS = tuple(Line(kind="tick", text=f"Unterlage {number}", mark="Original") for number in range(3))
SHEET = Sheet(
    locale="de",
    kind="Checkliste",
    title="Pass für „Groß & Klein“ – 37,00 €",
    issuer="Seeburg",
    lead=(Line(kind="paragraph", text="Größe ½ m², 3 × 4, Łódź, Яя, ≥ 16"),),
    sections=(
        Section("bring", "Das bringen Sie mit", TICKS),
        Section("costs", "Das kostet es", (Line(kind="item", text="Ein Punkt", depth=1),)),
    ),
    address="https://example.org/service/card/checklist?case=1234",
    address_words="Diese Liste auf dem Telefon",
    source="Stand: Katalog Nr. 7 vom 21. November 2026",
    page_words="Seite {page} von {pages}",
    day=date(2026, 11, 21),
)


@pytest.fixture(scope="session")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fonts")


def read(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content), strict=True)


def text_of(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in read(content).pages)


def tags_of(content: bytes) -> list[str]:
    root = read(content).trailer["/Root"]["/StructTreeRoot"]
    (document,) = root["/K"]
    return [str(kid.get_object()["/S"]) for kid in document.get_object()["/K"]]


def test_what_is_written_is_read_again(fonts: Path) -> None:
    text = text_of(pdf(SHEET, fonts))
    for words in (
        "Pass für „Groß & Klein“ – 37,00 €",
        "Größe ½ m², 3 × 4, Łódź, Яя, ≥ 16",
        "Unterlage 2 (Original)",
    ):
        assert words in text
    assert "Seite 1 von 1" in text
    assert "Katalog Nr. 7" in text


def test_it_is_tagged_and_says_its_language_and_title(fonts: Path) -> None:
    content = pdf(SHEET, fonts)
    found = read(content)
    root = found.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "de"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert found.metadata
    assert found.metadata.title == "Pass für „Groß & Klein“ – 37,00 € – Checkliste"
    assert tags_of(content) == [f"/{tag}" for tag in ["Figure", "P", "H1", "P", "H2", "P", "P", "P", "H2", "P", "P"]]
    (document,) = root["/StructTreeRoot"]["/K"]
    assert document.get_object()["/K"][0].get_object()["/Alt"] == "Diese Liste auf dem Telefon"


def test_every_page_is_balanced_and_every_mark_is_in_the_structure(fonts: Path) -> None:
    long = tuple(Line(kind="paragraph", text="Ein langer Satz mit vielen Wörtern. " * 60) for _ in range(3))
    content = pdf(msgspec.structs.replace(SHEET, sections=(Section("costs", "Das kostet es", long),)), fonts)
    pages = read(content).pages
    assert len(pages) == 2
    for page in pages:
        drawn = page.get_contents()
        assert drawn is not None
        data = drawn.get_data()
        assert data.count(b"BDC") + data.count(b"BMC") == data.count(b"EMC")
    assert "Seite 2 von 2" in text_of(content)


def test_all_letters_are_in_the_typeface_that_it_brings(fonts: Path) -> None:
    for page in read(pdf(SHEET, fonts)).pages:
        for font in page["/Resources"]["/Font"].values():
            descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
            assert "/FontFile2" in descriptor
            assert "FiraSans" in str(descriptor["/FontName"])


def test_what_nearly_fits_is_put_on_one_page(fonts: Path) -> None:
    def pages(count: int) -> int:
        lines = tuple(Line(kind="tick", text=f"Unterlage {number}") for number in range(count))
        return len(read(pdf(msgspec.structs.replace(SHEET, sections=(Section("bring", "x", lines),)), fonts)).pages)

    assert [pages(count) for count in (10, 34, 60)] == [1, 1, 2]


def test_a_heading_is_never_the_last_line_of_a_page(fonts: Path) -> None:
    for count in range(24, 36):
        lines = tuple(Line(kind="paragraph", text=f"Zeile {number}") for number in range(count))
        sections = (Section("costs", "Eins", lines), Section("lasts", "Überschrift", lines))
        for page in read(pdf(msgspec.structs.replace(SHEET, sections=sections), fonts)).pages:
            words = [line for line in page.extract_text().splitlines() if "Seite" not in line and "Katalog" not in line]
            assert words[-1] != "Überschrift", count


@settings(max_examples=25)
@given(st.text(max_size=400), st.sampled_from(["paragraph", "heading", "item", "tick"]), st.integers(0, 4))
def test_no_text_breaks_it(fonts: Path, text: str, kind: str, depth: int) -> None:
    line = Line(kind=kind, text=text, note=text[:40], depth=depth)  # type: ignore[arg-type]
    made = pdf(msgspec.structs.replace(SHEET, title=text[:80] or "x", sections=(Section("ways", "x", (line,)),)), fonts)
    assert read(made).pages


def test_a_word_without_end_is_broken(fonts: Path) -> None:
    line = Line(kind="paragraph", text="Donaudampfschifffahrt" * 40)
    text = text_of(pdf(msgspec.structs.replace(SHEET, sections=(Section("ways", "x", (line,)),)), fonts))
    assert "".join(text.split()).count("Donaudampfschifffahrt") == 40


def test_a_typeface_is_unpacked_once(tmp_path: Path) -> None:
    first = typeface("FiraSans-Regular.woff2", tmp_path)
    changed = first.stat().st_mtime_ns
    assert typeface("FiraSans-Regular.woff2", tmp_path) == first
    assert first.stat().st_mtime_ns == changed
    assert [path.suffix for path in tmp_path.iterdir()] == [".ttf"]


async def test_the_press_prints_what_it_is_given(fonts: Path) -> None:
    assert (await Press(fonts).print(SHEET)).startswith(b"%PDF-")


def test_poppler_reads_the_same(fonts: Path, tmp_path: Path) -> None:
    if not shutil.which("pdftotext"):
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail("pdftotext is missing")
        pytest.skip("NOT RUN: pdftotext is missing; sudo apt-get install poppler-utils")
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(SHEET, fonts))
    told = subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True)
    assert "Pass für „Groß & Klein“ – 37,00 €" in told.stdout.decode()
    assert told.stderr == b""
    shown = subprocess.run(["pdfinfo", str(path)], check=True, capture_output=True, text=True).stdout
    assert "Tagged:          yes" in shown
