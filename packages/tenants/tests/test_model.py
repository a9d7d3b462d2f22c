"""Tenant files: everything that is wrong is named at once, and nothing half is applied."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.hours.model import Calendar
from servicepunkt.tenants import files, model
from servicepunkt.tenants.demo.phone import Incoming, Phone
from servicepunkt.tenants.demo.story_file import coming, read_story


class Section(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 1


GOOD: dict[str, dict[str, Any]] = {
    "tenant.toml": {
        "schema": 1,
        "tenant": {"slug": "seeburg", "name": "Stadt Seeburg", "ags": "00000000", "subdivision": "HE"},
        "hosts": [{"id": "shop", "name": "Shop", "kind": "shop", "hours": "Mo-Fr 09:00-18:00"}],
        "extra": {"size": 3},
    },
    "catalogue/one.toml": {"partners": [{"id": "town", "name": "Stadt", "kind": "authority"}]},
}


def read(**changes: Any) -> model.Reading:
    documents = copy.deepcopy(GOOD)
    for path, value in changes.items():
        document, _, key = path.partition("__")
        name = "tenant.toml" if document == "tenant" else "catalogue/one.toml"
        documents[name][key] = value
    return model.read(documents, {"extra": Section})


def test_a_good_file_is_read() -> None:
    found = read()
    assert found.mistakes == []
    assert found.file is not None
    assert found.file.tenant.slug == "seeburg"
    assert found.file.catalogue.host("shop") is not None
    assert found.file.catalogue.partner("town") is not None
    assert found.file.sections == {"extra": Section(3)}


def test_every_mistake_is_named_at_once_and_the_rest_is_read() -> None:
    found = read(
        tenant__schema=2,
        tenant__tenant={"slug": "See Burg", "name": 5},
        tenant__hosts=[{"id": "a"}, {"id": "b", "colour": "red"}, *GOOD["tenant.toml"]["hosts"]],
        tenant__extra={"size": "big"},
        tenant__nobody={"x": 1},
        catalogue__partners="many",
        catalogue__hobbies=[],
    )
    assert found.file is None
    assert [(one.file, one.path, one.said.rule.code) for one in found.mistakes] == [
        ("tenant.toml", ("schema",), "SP1011"),
        ("tenant.toml", ("tenant", "name"), "SP1015"),
        ("tenant.toml", ("tenant",), "SP1013"),
        ("tenant.toml", ("tenant",), "SP1013"),
        *[("tenant.toml", ("hosts", 0), "SP1013")] * 3,
        ("tenant.toml", ("hosts", 1, "colour"), "SP1012"),
        *[("tenant.toml", ("hosts", 1), "SP1013")] * 3,
        ("catalogue/one.toml", ("partners",), "SP1023"),
        ("catalogue/one.toml", ("hobbies",), "SP1012"),
        ("tenant.toml", ("extra", "size"), "SP1015"),
        ("tenant.toml", ("nobody",), "SP1022"),
    ]
    assert found.catalogue.host("shop") is not None
    assert found.lost == {("hosts", "a"), ("hosts", "b")}


def test_a_place_is_found_in_the_file_in_which_it_stands() -> None:
    town = {"id": "town", "name": "Stadt", "kind": "authority"}
    found = read(catalogue__partners=[town, {**town, "id": "works"}], tenant__extra={"size": 1})
    said = model.NO_LIST(name="x")
    assert found.located("partners.works.exceptions[0].hours", said)[:2] == (
        "catalogue/one.toml", ("partners", 1, "exceptions", 0, "hours"),
    )  # fmt: skip
    assert found.located("partners[1] (works).name", said)[:2] == ("catalogue/one.toml", ("partners", 1, "name"))
    assert found.located("size", said, section="extra")[:2] == ("tenant.toml", ("extra", "size"))
    assert found.located("", said, section="extra")[:2] == ("tenant.toml", ("extra",))


def write(folder: Path, text: str, name: str = "tenant.toml") -> None:
    (folder / "catalogue").mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_files_are_read_strictly(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        files.documents_of(tmp_path)
    write(tmp_path, "schema = 1\n")
    write(tmp_path, "a = \nb = 1\nc = = 2\n", "catalogue/broken.toml")
    write(tmp_path, "a = " + "[" * 5000, "catalogue/deep.toml")
    write(tmp_path, "a = [1,\n\n", "catalogue/open.toml")
    (tmp_path / "catalogue" / "latin.toml").write_bytes(b"a = '\xff'")
    (tmp_path / "catalogue" / "link.toml").symlink_to(tmp_path / "tenant.toml")
    (tmp_path / "catalogue" / "large.toml").write_text("#" * (files.MAX_FILE + 1))
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path, "a = 1", "elsewhere/x.toml")
    (tmp_path / "points").symlink_to(tmp_path / "elsewhere")
    documents, unreadable = files.documents_of(tmp_path)
    assert [(one.file, one.place.line, one.said.rule.code) for one in unreadable] == [
        ("catalogue/broken.toml", 1, "SP1006"),
        ("catalogue/broken.toml", 3, "SP1006"),
        ("catalogue/deep.toml", 1, "SP1007"),
        ("catalogue/large.toml", 1, "SP1004"),
        ("catalogue/latin.toml", 1, "SP1005"),
        ("catalogue/link.toml", 1, "SP1003"),
        ("catalogue/open.toml", 1, "SP1006"),
        ("points/x.toml", 1, "SP1003"),
    ]
    assert documents["catalogue/broken.toml"].content == {"b": 1}


def test_more_files_than_a_town_needs(tmp_path: Path) -> None:
    write(tmp_path, "schema = 1\n")
    for number in range(files.MAX_FILES):
        write(tmp_path, "", f"catalogue/{number}.toml")
    documents, unreadable = files.documents_of(tmp_path)
    assert documents == {}
    assert [one.said.rule.code for one in unreadable] == ["SP1002"]


@given(st.text(alphabet="a=1[]{}\"'#,.\n \\é", max_size=60))
def test_whatever_stands_in_a_file_the_reader_ends(text: str) -> None:
    document, broken = files.parse(text)
    assert document.whole == (not broken)
    assert all(place.line <= text.count("\n") + 1 for place, _ in broken)


def test_a_folder_or_an_installed_pack(tmp_path: Path) -> None:
    write(tmp_path, "schema = 1\n")
    assert files.folder_of(str(tmp_path)) == tmp_path
    with pytest.raises(NotFoundError, match="neither a folder"):
        files.folder_of("no-such-pack")


def test_the_coming_saturday_is_no_holiday() -> None:
    calendar = Calendar("Europe/Berlin", "HE")
    moment = coming("Sa 19:40", datetime(2026, 12, 20, tzinfo=UTC), calendar)
    assert moment.isoformat() == "2027-01-02T19:40:00+01:00"  # the 26th of December is one
    for wrong in ("19:40", "Xx 19:40", "Sa 25:00", ""):
        with pytest.raises(InvalidInputError):
            coming(wrong, moment, calendar)


def test_a_story_is_read_strictly(tmp_path: Path) -> None:
    assert read_story(tmp_path) is None
    (tmp_path / "story.toml").write_text("citizen = 5\n")
    with pytest.raises(InvalidInputError):
        read_story(tmp_path)


def test_the_telephone_keeps_each_reference_once_over_restarts(tmp_path: Path) -> None:
    phone = Phone(tmp_path / "phone.jsonl")
    assert phone.receive(Incoming("1", "+491", "one"))
    assert not phone.receive(Incoming("1", "+491", "one again"))
    moment = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
    assert phone.receive(Incoming("2", "+491", "two"), shown=moment)
    again = Phone(tmp_path / "phone.jsonl")
    assert [message.text for message in again.messages()] == ["two", "one"]
    assert [message.shown for message in again.messages()] == [moment, None]
    assert not again.receive(Incoming("2", "+491", "two"))
