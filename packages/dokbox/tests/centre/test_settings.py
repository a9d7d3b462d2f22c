"""Section [dokbox]: every mistake that a schema cannot see is named when the file is read, all of them at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.declarations import TenantDraft, TenantSection
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox.settings import DokboxSettings, mistakes

BOX = {
    "id": "box-1",
    "point": "p",
    "name": {"de": "DokBox"},
    "compartments": 16,
    "rows_by_reach": [7, 8],
    "low_rows": [8],
}
PASSPORT = {"type": "passport", "name": {"de": "Reisepass"}}
LETTER = {
    "type": "letter", "name": {"de": "Urkunde"}, "channel": "email",
    "steps": ["pickup_number", "code", "open", "close"],
}  # fmt: skip
GOOD = {"boxes": [BOX], "documents": [PASSPORT, LETTER]}


def context(section: dict[str, Any]) -> TenantContext:
    settings = {"dokbox": msgspec.convert(section, DokboxSettings)}
    return TenantContext(id=1, slug="alpha", name="Alpha", plugins=frozenset({"web", "dokbox"}), settings=settings)


TOWN = {
    "hosts": [{"id": "shop", "name": "Laden", "kind": "shop", "hours": "Mo-Sa 09:00-19:00; PH off"}],
    "points": [{"id": "p", "name": {"de": "Punkt"}, "host": "shop", "staffed": "Mo-Fr 09:00-19:00; PH off",
                "address": {"street": "Weg 1", "postcode": "11111", "town": "Alpha"}}],
    "partners": [{"id": "town", "name": "Stadt", "kind": "authority"}],
    "services": [{"id": "pass", "name": {"de": "Pass abholen"}}],
    "offers": [{"service": "pass", "point": "p", "provider": "town", "can": ["collect"], "non_digital": {"de": "x"}}],
}  # fmt: skip


def wrong(plugins: PluginHost, section: dict[str, Any], **town: Any) -> list[str]:
    """What the section's check says, with the texts that the house has."""
    catalogue = msgspec.convert(TOWN | town, Catalogue)
    draft = TenantDraft(plugins, context(section), catalogue, date(2026, 11, 23))
    sections: list[TenantSection] = [
        section for answer in plugins.startup("tenant_sections") for section in answer.value
    ]
    check = next(each.check for each in sections if each.name == "dokbox")
    assert check is not None
    return [f"{place}: {sentence}" for place, sentence in check(draft)]


def test_a_good_section(plugins: PluginHost) -> None:
    assert wrong(plugins, GOOD) == []
    assert wrong(plugins, {}, offers=()) == []


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"boxes": [BOX, BOX]}, "boxes.box-1: this id is taken"),
        ({"documents": [PASSPORT, PASSPORT]}, "documents.passport: this type is taken"),
        ({"boxes": [BOX | {"low_rows": [9, 8]}]}, "boxes.box-1.low_rows: rows go from 1 to 8, there is no 9"),
        ({"boxes": [BOX | {"rows_by_reach": [0]}]}, "boxes.box-1.rows_by_reach: rows go from 1 to 8, there is no 0"),
        ({"boxes": [BOX | {"rows_by_reach": [1, 1]}]}, "boxes.box-1.rows_by_reach: a row stands there twice"),
        ({"documents": [PASSPORT | {"notice": "x"}]}, "documents.passport.notice: there is no text 'x'"),
        ({"documents": [PASSPORT | {"reminder": "x"}]}, "documents.passport.reminder: there is no text 'x'"),
        ({"documents": [PASSPORT | {"withdrawn": "x"}]}, "documents.passport.withdrawn: there is no text 'x'"),
        (
            {"documents": [PASSPORT | {"withdrawn": "pickup-fresh-code"}]},
            "documents.passport.withdrawn: 'pickup-fresh-code' has {code} in de, which is not known then",
        ),
        (
            {"documents": [PASSPORT | {"notice": "pickup-reminder"}]},
            "documents.passport.notice: 'pickup-reminder' has no {code} in de",
        ),
        (
            {"documents": [LETTER | {"notice": "pickup-code"}]},
            "documents.letter.notice: 'pickup-code' has no {number} in de",
        ),
        (
            {"documents": [PASSPORT | {"notice": "pickup-code-mail"}]},
            "documents.passport.notice: 'pickup-code-mail' is a text for mail",
        ),
    ],
)  # fmt: skip
def test_every_mistake_has_its_sentence(plugins: PluginHost, section: dict[str, Any], sentence: str) -> None:
    assert sentence in wrong(plugins, section)


def test_all_mistakes_are_named_at_once(plugins: PluginHost) -> None:
    section = {
        "boxes": [BOX, BOX | {"low_rows": [9]}],
        "documents": [PASSPORT | {"notice": "x", "reminder": "y"}],
    }
    assert len(wrong(plugins, section)) == 4


def test_a_text_of_somebody_else_is_checked_in_every_language() -> None:
    own = NoticeTemplate("own", {"de": "Code {code}", "en": "Come and get it"})
    others = {name: NoticeTemplate(name, {"de": "x"}) for name in ("pickup-reminder", "pickup-withdrawn")}
    section = context({"documents": [PASSPORT | {"notice": "own"}]})
    expected = [("documents.passport.notice", "'own' has no {code} in en")]
    assert mistakes(section, {"own": own, **others}) == expected
    broken = NoticeTemplate("own", {**own.texts, "tr": "{code"})
    assert mistakes(section, {"own": broken, **others}) == expected, "a broken text is named with all texts"


POINT, SHOP = TOWN["points"][0], TOWN["hosts"][0]
CHECKED = PASSPORT | {"steps": ["phone", "code", "staff_check", "open", "close"]}
IDENTIFIED = PASSPORT | {"steps": ["phone", "code", "identify", "open", "close"]}
HANDED_IN = PASSPORT | {"steps": ["phone", "code", "old_document", "open", "close"]}


@pytest.mark.parametrize(
    ("section", "town", "expected"),
    [
        (
            {"boxes": [BOX | {"point": "x"}]}, {},
            {"boxes.box-1.point: there is no point 'x'",
             "boxes: 'pass' can be collected at 'p', and no box stands there"},
        ),
        ({"documents": [PASSPORT]}, {}, {"boxes: 'pass' can be collected at 'p', and no box stands there"}),
        ({"boxes": [BOX]}, {}, {"documents: no kind of document is described, and 'pass' can be collected"}),
        (GOOD | {"yearly_documents": 300}, {}, set()),
        (
            GOOD | {"yearly_documents": 20_000}, {},
            {"yearly_documents: 20000 documents a year need about 285 compartments, and there are 16"},
        ),
        ({"boxes": [BOX], "documents": [CHECKED]}, {"points": [POINT | {"staffed": SHOP["hours"]}]}, set()),
        (
            {"boxes": [BOX], "documents": [CHECKED]}, {},
            {"documents.passport.steps: the step staff_check needs somebody, and for 10 hours a week the place is open "
             "with nobody there"},
        ),
        (
            {"boxes": [BOX], "documents": [HANDED_IN]}, {"points": [POINT | {"staffed": "Su 10:00-12:00"}]},
            {"documents.passport.steps: the step old_document needs somebody, and nobody is ever at 'p'"},
        ),
        ({"boxes": [BOX], "documents": [HANDED_IN | {"old_document": {"de": "In den Schlitz"}}]},
         {"points": [POINT | {"staffed": "Su 10:00-12:00"}]}, set()),
        (
            {"boxes": [BOX], "documents": [IDENTIFIED]}, {},
            {"documents.passport.identify_level: no plugin that is on identifies at the level high, and the step "
             "identify needs it"},
        ),
        (GOOD, {"hosts": [SHOP | {"hours": "off"}]},
         {"boxes.box-1.point: 'p' is never open: nothing could be collected"}),
    ],
)  # fmt: skip
def test_boxes_documents_and_the_catalogue_make_sense_together(
    plugins: PluginHost, section: dict[str, Any], town: dict[str, Any], expected: set[str]
) -> None:
    assert set(wrong(plugins, section, **town)) == expected
