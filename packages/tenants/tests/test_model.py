"""Tenant files: everything that is wrong is named at once, and nothing half is applied."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.hours.model import Calendar
from servicepunkt.core.notices.settings import NoticeSettings
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


def read(**changes: Any) -> tuple[model.TenantFile | None, list[model.Mistake]]:
    documents = copy.deepcopy(GOOD)
    for path, value in changes.items():
        document, _, key = path.partition("__")
        name = "tenant.toml" if document == "tenant" else "catalogue/one.toml"
        documents[name][key] = value
    return model.read(documents, {"extra": Section})


def test_a_good_file_is_read() -> None:
    found, mistakes = read()
    assert mistakes == []
    assert found is not None
    assert found.tenant.slug == "seeburg"
    assert found.catalogue.host("shop") is not None
    assert found.catalogue.partner("town") is not None
    assert found.sections == {"extra": Section(3)}


def test_every_mistake_is_named_at_once() -> None:
    found, mistakes = read(
        tenant__schema=2,
        tenant__tenant={"slug": "See Burg", "name": 5},
        tenant__hosts=[{"id": "a"}, {"id": "b", "colour": "red"}],
        tenant__extra={"size": "big"},
        tenant__nobody={"x": 1},
        catalogue__partners="many",
        catalogue__hobbies=[],
    )
    assert found is None
    places = " ".join(place for place, _ in mistakes)
    for wanted in ("schema", "[tenant]", "[[hosts]] 1", "[[hosts]] 2", "[extra]", "nobody", "[[partners]]", "hobbies"):
        assert wanted in places, wanted


def test_every_mistake_of_a_section_is_named_at_once() -> None:
    document = copy.deepcopy(GOOD)
    document["tenant.toml"]["notices"] = {
        "sms": 5,
        "colour": "red",
        "limits": {"number_day": 0},
        "provider": [
            {"name": "north", "protocol": "fax"},
            {"name": "south", "protocol": "rest", "sender": "STADT", "weight": 0},
            {"name": "fine", "protocol": "rest", "sender": "STADT"},
        ],
    }
    found, mistakes = model.read(document, {"extra": Section, "notices": NoticeSettings})
    assert found is None
    assert [place.removeprefix("tenant.toml: [notices] ") for place, _ in mistakes] == [
        "colour",
        "sms",
        "[[provider]] 1 (north)",
        "[[provider]] 2 (south)",
        "limits",
    ]


@pytest.mark.parametrize("value", [5, [], "x", None])
def test_a_section_that_is_no_table_is_one_mistake(value: object) -> None:
    assert len(model.section_mistakes(value, NoticeSettings, "here")) == 1


def test_a_slug_goes_into_addresses() -> None:
    assert read(tenant__tenant={**GOOD["tenant.toml"]["tenant"], "slug": "See/Burg"})[0] is None


def write(folder: Path, text: str, name: str = "tenant.toml") -> None:
    (folder / "catalogue").mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_files_are_read_strictly(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        files.documents_of(tmp_path)
    write(tmp_path, "schema = 1\n")
    write(tmp_path, "a = \n", "catalogue/broken.toml")
    (tmp_path / "catalogue" / "latin.toml").write_bytes(b"a = '\xff'")
    (tmp_path / "catalogue" / "link.toml").symlink_to(tmp_path / "tenant.toml")
    (tmp_path / "catalogue" / "large.toml").write_text("#" * (files.MAX_FILE + 1))
    with pytest.raises(InvalidInputError) as refused:
        files.documents_of(tmp_path)
    assert [place for place, _ in refused.value.mistakes] == [
        f"catalogue/{name}.toml" for name in ("broken", "large", "latin", "link")
    ]


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
