"""What is wrong with the text of a notice is said before a tenant is put into force."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.notices.templates import missing_language, template_mistakes

LONGEST = {"code": "123456", "tenant": "T" * 20, "until": "31.12. 20:00"}
VALUES = {name: (value,) for name, value in LONGEST.items()}


def wrong(text: str, **values: object) -> list[str]:
    return said(template_mistakes(NoticeTemplate("pickup", {"de": text}, **values), VALUES))  # type: ignore[arg-type]


def said(mistakes: list[tuple[str, str]]) -> list[str]:
    return [f"{place}: {sentence}" for place, sentence in mistakes]


def test_a_template_that_fits_has_no_mistakes() -> None:
    assert wrong("{tenant}: Code {code}, bis {until}. {{geschweift}}") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Code {code}, {name}, {zimmer}", "pickup/de: unknown places name, zimmer"),
        ("{}", "pickup/de: unknown places "),
        ("{code.real}", "pickup/de: unknown places code.real"),
        ("{code[0]}", "pickup/de: unknown places code[0]"),
        ("Code {code", "pickup/de: this text has a brace too many or too few: expected '}' before end of string"),
        ("Code }", "pickup/de: this text has a brace too many or too few: Single '}' encountered in format string"),
        (
            "{code:d}",
            "pickup/de: this text has a brace too many or too few: Unknown format code 'd' for object of type 'str'",
        ),
        ("{code:{width}}", "pickup/de: this text has a brace too many or too few: 'width'"),
        ("{code!x}", "pickup/de: this text has a brace too many or too few: Unknown conversion specifier x"),
        ("Code {code} – bald", "pickup/de: characters outside the SMS alphabet: –"),
        ("a" * 161, "pickup/de: 2 SMS instead of 1"),
        ("{tenant}" * 9, "pickup/de: 2 SMS instead of 1"),
        ("https://example.org", "pickup/de: an SMS holds no link"),
        ("www.example.org", "pickup/de: an SMS holds no link"),
    ],
)
def test_a_mistake_in_a_template_is_named_with_its_language(text: str, sentence: str) -> None:
    (found,) = wrong(text)
    assert found.startswith(sentence)


def test_a_value_that_leaves_the_sms_alphabet_is_named() -> None:
    template = NoticeTemplate("pickup", {"de": "{tenant}: Code"})
    assert said(template_mistakes(template, {"tenant": ("Stadt – Land",)})) == [
        "pickup/de: characters outside the SMS alphabet: –"
    ]


def test_every_language_is_checked() -> None:
    template = NoticeTemplate("pickup", {"de": "{x}", "en": "fine", "tr": "ş"})
    assert [place for place, _ in template_mistakes(template, {})] == ["pickup/de", "pickup/tr"]


def test_a_mail_may_be_long_and_hold_links_and_dashes() -> None:
    assert wrong("https://example.org – " * 50, channel="email") == []
    assert wrong("{name}", channel="email") == ["pickup/de: unknown places name"]
    assert wrong("a" * 300, segments=2) == []


@given(st.text(alphabet="{}a!:[].d0 –", max_size=12))
def test_whatever_a_template_says_the_answer_is_a_list(text: str) -> None:
    if wrong(text, channel="email") == []:
        text.format(**LONGEST)


@pytest.mark.parametrize("text", ["Code auf punkt.de", "siehe example.com/x", "mailto://a", "WWW.example", "x.online"])
def test_what_a_phone_makes_a_link_of_is_one(text: str) -> None:
    assert wrong(text) == ["pickup/de: an SMS holds no link"]


@pytest.mark.parametrize("text", ["bis 28.11., 20.00 Uhr", "z.B. hier", "Haus 1.OG", "Abholung.Danke"])
def test_a_date_or_an_abbreviation_is_no_link(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize("place", ["name", "first_name", "surname", "citizen_name", "birth_date"])
def test_an_sms_names_no_person_even_where_an_area_offers_the_value(place: str) -> None:
    template = NoticeTemplate("pickup", {"de": f"Guten Tag {{{place}}}"}, values={place: ("Anna",)})
    assert said(template_mistakes(template, {})) == [f"pickup/de: an SMS names no person: {place}"]


def test_an_area_says_what_may_stand_in_its_own_places() -> None:
    assert template_mistakes(NoticeTemplate("x", {"de": "{counter}"}, values={"counter": ["Rathaus"]}), {}) == []
    assert template_mistakes(NoticeTemplate("x", {"de": "{counter}"}, values={"counter": ["R" * 161]}), {}) != []
    long = NoticeTemplate("x", {"de": "{box}"}, values={"box": ["B" * 161]})
    assert template_mistakes(long, {"box": ["B"]}) != []
    assert template_mistakes(NoticeTemplate("x", {"de": "{box}"}), {"box": []}) == [], "a tenant without boxes"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("Rathaus – Nord", "x/de: characters outside the SMS alphabet: –"),
        ("box.seeburg.de", "x/de: an SMS holds no link"),
        ("[Nord]" * 13, "x/de: 2 SMS instead of 1"),
    ],
)
def test_every_value_is_tried_not_the_longest_alone(value: str, sentence: str) -> None:
    """What is typed as fewer characters may take more septets."""
    boxes = ["DokBox im Servicepunkt, im Erdgeschoss neben der Information, im Haus an der Ecke", value, "Süd"]
    assert len(value) < max(map(len, boxes))
    template = NoticeTemplate("x", {"de": "{box}: {code} {rest}"}, values={"box": boxes})
    rest = "a" * 60
    assert sentence in said(template_mistakes(template, {**VALUES, "rest": [rest]}))


def test_the_tenants_own_language_is_needed() -> None:
    template = NoticeTemplate("x", {"en": "Hello", "de": ""})
    assert missing_language(template, "en") == []
    assert said(missing_language(template, "de")) == ["x/de: there is no text in this language"]
