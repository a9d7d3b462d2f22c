"""Layers: the upper one wins, text by text; where each value came from is known; nothing is lost in silence."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.layers import Sourced, difference, merge, record_of, values

FEDERATION = Sourced(
    "federation",
    {
        "id": "passport",
        "name": {"de": "Reisepass Ausstellung"},
        "fees": [{"amount": "70.00"}],
        "modules": [{"code": "11", "text": {"de": "So geht es.", "en": "How it goes."}}],
    },
)
TOWN = Sourced(
    "town",
    {
        "name": {"de": "Reisepass", "en": "Passport"},
        "modules": [
            {"code": "11", "text": {"de": "So geht es bei uns."}},
            {"code": "11", "channel": "point", "text": {"de": "Hier am Tresen."}},
        ],
    },
)

TEXTS = st.dictionaries(st.sampled_from(["de", "en", "de-x-leicht"]), st.text("ab", max_size=2), max_size=3)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXTS,
        "summary": TEXTS,
        "fees": st.lists(st.integers(0, 3), max_size=2),
        "visibility": st.sampled_from(["public", "staff"]),
        "modules": st.lists(
            st.fixed_dictionaries(
                {"code": st.sampled_from(["06", "11"]), "channel": st.sampled_from(["000", "point"]), "text": TEXTS}
            ),
            max_size=3,
            unique_by=lambda module: (module["code"], module["channel"]),
        ),
    },
)


def test_the_upper_layer_wins_text_by_text() -> None:
    merged = merge([FEDERATION, TOWN])
    assert merged.record["name"] == {"de": "Reisepass", "en": "Passport"}
    assert merged.record["fees"] == [{"amount": "70.00"}]
    assert merged.record["modules"] == [
        {"code": "11", "channel": "000", "text": {"de": "So geht es bei uns.", "en": "How it goes."}},
        {"code": "11", "channel": "point", "text": {"de": "Hier am Tresen."}},
    ]
    assert merged.origins["modules/11/000/en"] == "federation"
    assert merged.origins["modules/11/000/de"] == merged.origins["modules/11/point/de"] == "town"


def test_an_empty_text_takes_away_what_stands_below() -> None:
    merged = merge([FEDERATION, Sourced("town", {"modules": [{"code": "11", "text": {"en": ""}}]})])
    assert merged.record["modules"] == [{"code": "11", "channel": "000", "text": {"de": "So geht es."}}]
    assert "modules/11/000/en" not in merged.origins


def test_a_difference_names_each_value() -> None:
    before: dict[str, Any] = {"name": {"de": "a", "en": "b"}, "fees": []}
    assert difference(before, {"name": {"de": "c"}, "fees": []}) == [("name/de", "a", "c"), ("name/en", "b", None)]


@given(st.lists(RECORDS, max_size=4))
def test_layers_may_be_merged_in_parts(records: list[dict[str, Any]]) -> None:
    layers = [Sourced(str(number), record) for number, record in enumerate(records)]
    whole = merge(layers)
    assert set(whole.origins) == set(values(whole.record))
    for path, value in values(whole.record).items():
        last = next(layer for layer in reversed(layers) if path in values(layer.record))
        assert values(last.record)[path] == value
        assert whole.origins[path] == last.source


@given(RECORDS)
def test_a_record_and_its_values_say_the_same(record: dict[str, Any]) -> None:
    made = record_of(values(record))
    assert record_of(values(made)) == made
    assert merge([Sourced("a", made), Sourced("b", made)]).record == made
