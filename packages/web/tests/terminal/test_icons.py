"""A tile's sign where its theme names none."""

from __future__ import annotations

from servicepunkt.core.catalogue.model import Theme
from servicepunkt.web.terminal.icons import ONE_AFTER_THE_OTHER, theme_icons


def test_a_theme_is_known_by_what_it_is_about_and_no_two_look_alike() -> None:
    themes = [
        Theme(id="others", name={}, others=True),
        Theme(id="cars", name={}, leika_groups=("000", "036")),
        Theme(id="licences", name={}, leika_groups=("023",)),
        Theme(id="papers", name={}, icon="leaf", leika_groups=("008",)),
        Theme(id="plain", name={}),
    ]
    found = theme_icons(themes, taken=["compass"])
    assert (found["others"], found["cars"], found["papers"]) == ("list", "car", "leaf")
    assert len(set(found.values()) | {"compass"}) == 6


def test_with_more_themes_than_signs_there_is_still_one_for_each() -> None:
    found = theme_icons([Theme(id=str(number), name={}) for number in range(30)])
    assert set(found.values()) <= set(ONE_AFTER_THE_OTHER)
