"""XZuFi read: what each record becomes here, in both versions, and what is wrong in real files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from servicepunkt.core.catalogue.checks import mistakes
from servicepunkt.core.catalogue.formats import xzufi
from servicepunkt.core.catalogue.formats.model import Change, Delete, Limits, Refused, Upsert
from servicepunkt.core.catalogue.formats.xzufi import names
from servicepunkt.core.catalogue.formats.xzufi.partners import area_of
from servicepunkt.core.catalogue.sources.importing import record_mistakes

NS = names.NAMESPACES["2.2.0"]


def message(*records: str, version: str = "2.2.0", root: str = "") -> bytes:
    """A transfer message in the namespace of 2.2.0, with `x` for it."""
    body = "\n".join(records)
    return f'<x:t xmlns:x="{NS}" xmlns:xsi="{names.XSI}" xzufiVersion="{version}" {root}>{body}</x:t>'.encode()


def service(inner: str, number: str = "1", agency: str = "L1") -> str:
    return f'<x:schreibe><x:leistung><x:id schemeAgencyID="{agency}">{number}</x:id>{inner}</x:leistung></x:schreibe>'


def text(code: str, said: str, *, language: str = "de", channel: str = "") -> str:
    way = f"<x:zugangskanal><code>{channel}</code></x:zugangskanal>" if channel else ""
    return (
        f"<x:modulText>{way}<x:leikaTextmodul><code>{code}</code></x:leikaTextmodul>"
        f'<x:inhalt languageCode="{language}">{said}</x:inhalt></x:modulText>'
    )


NAME = text("02", "Ausweis")


def transfer(above: str, of: str, *, number: str = "9", areas: str = "", role: str = "", agency: str = "L1") -> str:
    return (
        "<x:schreibe><x:zustaendigkeitTransferObjekt>"
        f'<x:uebergeordnetesObjektID schemeAgencyID="{agency}">{above}</x:uebergeordnetesObjektID>'
        f'<x:zustaendigkeit><x:id schemeAgencyID="{agency}">{number}</x:id>'
        f'<x:leistungID schemeAgencyID="{agency}">{of}</x:leistungID>'
        + "".join(f"<x:gebietID>{area}</x:gebietID>" for area in areas.split())
        + f"{role}</x:zustaendigkeit></x:zustaendigkeitTransferObjekt></x:schreibe>"
    )


def online(number: str = "7", url: str = "https://example.org/a", agency: str = "L1") -> str:
    return (
        f'<x:schreibe><x:onlinedienst><x:id schemeAgencyID="{agency}">{number}</x:id>'
        f"<x:link><x:typ><code>01</code></x:typ><x:link>{url}</x:link></x:link></x:onlinedienst></x:schreibe>"
    )


def office(number: str = "7", agency: str = "L1", inner: str = "") -> str:
    return (
        f'<x:schreibe><x:organisationseinheit><x:id schemeAgencyID="{agency}">{number}</x:id>'
        f"<x:name><x:name>Amt</x:name></x:name>{inner}</x:organisationseinheit></x:schreibe>"
    )


def upserts(changes: list[Change], kind: str = "services") -> list[dict[str, Any]]:
    return [one.record for one in changes if isinstance(one, Upsert) and one.kind == kind]


def refusals(changes: list[Change]) -> list[str]:
    return [one.reason for one in changes if isinstance(one, Refused)]


def only(changes: list[Change]) -> Upsert:
    [made] = [one for one in changes if isinstance(one, Upsert)]
    return made


def test_2_2_0(read_xzufi: Any, collected: Any, samples: Path) -> None:
    """The whole sample: names, words, figures, links; what is not taken over is said with its line."""
    changes = read_xzufi((samples / "xzufi_2_2_0.xml").read_bytes())
    catalogue = collected(change for change in changes if isinstance(change, Upsert))
    [found] = catalogue.services
    assert found.id == "l100099-101"
    assert found.external.agency == "L100099"
    assert found.leika == ("99008001012000",)
    assert found.official_name == {"de": "Personalausweis Ausstellung"}
    assert found.name == {"de": "Personalausweis & Karte beantragen", "en": "Apply for an identity card"}
    assert found.description == {
        "de": "<p>Den Ausweis gibt es im Amt.</p><ul><li>Kommen Sie <strong>selbst</strong>.</li></ul>"
    }
    assert [(law.citation, law.url) for law in found.legal_basis] == [("§ 9 PAuswG", "https://example.org/pauswg")]
    assert [(link.kind, link.url, link.trust_level, link.areas) for link in found.links] == [
        ("online", "https://example.org/ausweis", "40", ("06633",)),
        ("form", "https://example.org/formular", "", ()),
    ]
    [fee] = found.fees
    assert (str(fee.amount), fee.type, fee.prepaid, fee.text) == ("37.00", "001", True, {"de": "ab 24 Jahren"})
    assert found.fee == {"de": "Zahlbar bei Antragstellung."}
    assert [(one.kind, one.least, one.unit, one.most, one.most_unit, one.type) for one in found.durations] == [
        ("processing", 2, "WOCHE", 1, "MONAT", ""),
        ("deadline", 2, "WOCHE", None, None, "001"),
    ]
    deadline = found.module("x-deadline")
    assert deadline is not None
    assert deadline.text == {"de": "--05-01 – --05-31\n\nVor dem 16. Geburtstag."}
    assert [(one.text, one.when, one.direction, one.type) for one in found.documents] == [
        ({"de": "Lichtbild"}, {"de": "biometrisch"}, "in", "001"),
        ({"de": "Ausweis"}, {}, "out", ""),
    ]
    assert found.keywords == ("Perso", "Ausweis")
    assert found.audience == ("001",)
    assert found.valid_from is not None
    assert found.valid_from.isoformat() == "2026-01-01"
    [made] = [one for one in changes if isinstance(one, Upsert) and one.kind == "services"]
    for part in ("is no LeiKa key", "javascript:alert(1)", "scripts were taken out", "modulAuskunftshinweis"):
        assert any(part in note for note in made.notes), (part, made.notes)
    [partner] = catalogue.partners
    assert (partner.id, partner.name, partner.phone, partner.email) == (
        "l100099-77",
        "Bürgerbüro Musterstadt",
        "0561 0000",
        "buergerbuero@example.org",
    )
    assert partner.website == "https://example.org/buergerbuero"
    assert partner.address is not None
    assert (partner.address.street, partner.address.postcode) == ("Am Markt 1 a", "00002")
    assert [(one.authority, one.area, one.role) for one in catalogue.responsibilities] == [
        ("l100099-77", "06633", "decides"),
        ("l100099-77", "06611", "contact"),
        ("l100099-77", "066330003003", "contact"),
    ]
    assert [(one.kind, one.id) for one in changes if isinstance(one, Delete)] == [
        ("services", "l100099-404"),
        ("partners", "l100099-404"),
        ("responsibilities", "l100099-404"),
    ]
    assert [(one.kind, one.id, one.reason) for one in changes if isinstance(one, Refused)] == [
        ("spezialisierung", "L100099/5", "not taken over: spezialisierung"),
        ("LeistungSpezialisierung", "L100099/404", "not taken over: deletion of LeistungSpezialisierung"),
    ]
    assert not mistakes(catalogue)
    assert not [mistake for one in changes if isinstance(one, Upsert) for mistake in record_mistakes(one)]


def test_2_3_1(read_xzufi: Any, collected: Any, samples: Path) -> None:
    """Lists where there was one, channels, identifiers as keys, machine translations, an end."""
    catalogue = collected(read_xzufi((samples / "xzufi_2_3_1.xml").read_bytes()))
    [found] = catalogue.services
    assert found.leika == ("99050012104000", "99050012111000")
    assert found.name == found.official_name == {"de": "Gewerbe Anmeldung", "uk": "Реєстрація"}
    assert found.audience == ("002",)
    assert [(one.code, one.channel, one.text.get("de"), one.translated) for one in found.modules] == [
        ("08", "100", "Im Original.", ()),
        ("11", "000", "Zuerst der Antrag.\n\nDann die Urkunde.", ("uk",)),
        ("11", "200", "Online in zehn Minuten.", ()),
        ("x-deadline", "100", "Mit dem Beginn.", ()),
        ("x-fee", "200", "Online ohne Gebühr.", ()),
        ("x-tipps-hilfe", "000", "Fragen Sie die Kammer.", ()),
    ]
    assert [law if isinstance(law, str) else law.citation for law in found.legal_basis] == ["§ 14 GewO", "§ 15 GewO"]
    assert [(str(one.amount), str(one.amount_to), one.channel) for one in found.fees] == [
        ("15", "65.50", "000"),
        ("None", "None", "200"),
    ]
    assert [(one.kind, one.least, one.unit, one.channel) for one in found.durations] == [
        ("processing", 3, "ARBEITSTAG", "200"),
        ("deadline", 1, "MONAT", "100"),
    ]
    assert [(one.text["de"], one.direction, one.mandatory, one.type, one.channel) for one in found.documents] == [
        ("Vollmacht", "in", False, "005", "100"),
        ("Gewerbeschein", "out", True, "010", "100"),
    ]
    assert [(link.kind, link.url, link.name) for link in found.links] == [
        ("page", "https://example.org/gebuehren", {"de": "Satzung"})
    ]
    assert found.ended == names.ENDED
    assert not mistakes(catalogue)


@pytest.mark.parametrize("version", ["2.2", "2.2.0", "2.3.1", ""])
def test_the_version_is_said_in_several_ways(version: str, read_xzufi: Any) -> None:
    content = message(service(NAME), version=version)
    if not version:
        content = content.replace(b'xzufiVersion=""', b"")
    assert len(upserts(read_xzufi(content))) == 1


def test_a_namespace_of_the_family_is_read_when_the_version_is_known(read_xzufi: Any) -> None:
    """That of 2.3.1 is a guess: the root's version decides."""
    content = message(service(NAME), version="2.3.1").replace(NS.encode(), b"urn:xoev-de:fim:standard:xzufi_2.3.1")
    assert len(upserts(read_xzufi(content))) == 1


def test_one_id_in_two_agencies_is_two_services(read_xzufi: Any) -> None:
    changes = read_xzufi(message(service(NAME, agency="L1"), service(NAME, agency="S2")))
    assert [one["id"] for one in upserts(changes)] == ["l1-1", "s2-1"]


def test_one_id_in_two_classes_is_two_things(read_xzufi: Any) -> None:
    """A responsibility does not say the class of what it hangs under; one that fits both counts for both."""
    changes = read_xzufi(message(office("7"), online("7"), service(NAME), transfer("7", "1", areas="06")))
    assert [one["id"] for one in upserts(changes, "partners")] == ["l1-7"]
    assert upserts(changes)[0]["links"] == [{"kind": "online", "url": "https://example.org/a", "areas": ["06"]}]
    [made] = [one for one in changes if isinstance(one, Upsert) and one.kind == "responsibilities"]
    assert made.record["authority"] == "l1-7"
    assert "an authority and an online service" in made.notes[0]


@pytest.mark.parametrize(
    "records",
    [
        [service(NAME), online(), transfer("7", "1")],
        [transfer("7", "1"), service(NAME), online()],
        [transfer("7", "1"), online(), service(NAME)],
        [online(), transfer("7", "1"), service(NAME)],
    ],
)
def test_online_services_become_links_in_whatever_order(records: list[str], read_xzufi: Any) -> None:
    changes = read_xzufi(message(*records))
    assert [type(one) for one in changes] == [Upsert]
    assert upserts(changes)[0]["links"] == [{"kind": "online", "url": "https://example.org/a"}]


def test_a_file_that_cannot_be_rewound_is_read_all_the_same() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

    content = message(transfer("7", "1"), service(NAME), online())
    changes = list(xzufi.read({"xzufi": Pipe(content)}, Limits()))
    assert upserts(changes)[0]["links"]


def test_what_was_deleted_later_is_no_link(read_xzufi: Any) -> None:
    gone = '<x:loesche klasse="Onlinedienst"><x:id schemeAgencyID="L1">7</x:id></x:loesche>'
    changes = read_xzufi(message(transfer("7", "1"), online(), gone, service(NAME)))
    assert "links" not in upserts(changes)[0]
    again = read_xzufi(message(transfer("7", "1"), online(), gone, online(url="https://example.org/b"), service(NAME)))
    assert upserts(again)[0]["links"] == [{"kind": "online", "url": "https://example.org/b"}]


def test_an_online_service_without_its_service_is_named(read_xzufi: Any) -> None:
    changes = read_xzufi(message(online(), transfer("7", "1")))
    assert refusals(changes) == ["none of its services is in this file, or its areas cannot be told"]


@pytest.mark.parametrize(
    ("areas", "told"),
    [
        ("", None),
        ("000000000000", None),
        ("060000000000 000000000000", None),
        ("060000000000 08236040", ["06"]),
        ("08236040", "no link"),
    ],
)
def test_an_online_service_is_never_offered_in_more_areas_than_it_says(areas: str, told: Any, read_xzufi: Any) -> None:
    changes = read_xzufi(message(online(), transfer("7", "1", areas=areas), service(NAME)))
    [link] = upserts(changes)[0].get("links", [{"areas": "no link"}])
    assert link.get("areas") == told
    assert bool(refusals(changes)) == (told == "no link")


def test_a_responsibility_may_come_before_everything_and_for_things_never_seen(read_xzufi: Any) -> None:
    changes = read_xzufi(message(transfer("55", "44", areas="066110000000"), service(NAME)))
    assert upserts(changes, "responsibilities") == [{"service": "l1-44", "authority": "l1-55", "area": "06611"}]
    gone = '<x:loesche klasse="Zustaendigkeit"><x:id schemeAgencyID="L1">1</x:id></x:loesche>'
    assert [type(one) for one in read_xzufi(message(gone))] == [Delete]


def test_several_areas_have_ids_of_their_own(read_xzufi: Any) -> None:
    changes = read_xzufi(message(transfer("5", "1", areas="066110000000 120650144144")))
    assert [one.id for one in changes] == ["l1-9@06611", "l1-9@120650144144"]


def test_no_area_is_not_everywhere_without_asking(read_xzufi: Any) -> None:
    [made] = read_xzufi(message(transfer("5", "1")))
    assert made.record["caveat"] == names.NO_AREA


def test_an_area_that_cannot_be_told_is_refused_with_its_key(read_xzufi: Any) -> None:
    [refused] = read_xzufi(message(transfer("5", "1", areas="08236040")))
    assert "'08236040' is no key" in refused.reason


@pytest.mark.parametrize(
    ("given", "area"),
    [
        ("000000000000", ""),
        ("060000000000", "06"),
        ("066330000000", "06633"),
        ("120650144000", "120650144"),
        ("120650144144", "120650144144"),
        ("06", "06"),
        ("06611000", "06611"),
        ("08236040", None),
        ("123", None),
        ("Hessen", None),
        ("", None),
    ],
)
def test_areas(given: str, area: str | None) -> None:
    """Leading zeros stay; an AGS is no ARS, except for what is a district by itself."""
    assert area_of(given) == area


@pytest.mark.parametrize(
    ("role", "is_role"),
    [
        ("", None),
        ("<x:rolle><code>01</code></x:rolle>", None),
        ("<x:rolle><code>03</code></x:rolle>", "contact"),
        ("<x:rolle><code>02</code></x:rolle>", "contact"),
        ("<x:rolle><code>02</code><name>Zuständige Stelle</name></x:rolle>", None),
        ("<x:rolle><code>77</code><name>Aufsicht</name></x:rolle>", "contact"),
    ],
)
def test_roles_go_by_their_words_first(role: str, is_role: str | None, read_xzufi: Any) -> None:
    [made] = read_xzufi(message(transfer("5", "1", areas="06", role=role)))
    assert made.record.get("role") == is_role


def test_the_name_is_module_03_else_02(read_xzufi: Any) -> None:
    changes = read_xzufi(message(service(NAME + text("03", "Perso"), "1"), service(NAME, "2")))
    assert [one["name"]["de"] for one in upserts(changes)] == ["Perso", "Ausweis"]


def test_a_service_without_a_name_needs_a_key(read_xzufi: Any) -> None:
    key = "<x:referenzLeiKa><code>99008001012000</code></x:referenzLeiKa>"
    changes = read_xzufi(message(service("", "1"), service(key, "2")))
    assert refusals(changes) == ["name: a service has a name, or a LeiKa key that brings one"]
    assert upserts(changes)[0]["leika"] == ["99008001012000"]


def test_a_record_that_cannot_be_read_is_named_and_the_others_are_read(read_xzufi: Any) -> None:
    """Line, class and id; then it goes on."""
    no_id = "<x:schreibe><x:leistung></x:leistung></x:schreibe>"
    unknown = '<x:schreibe><x:formular><x:id schemeAgencyID="L1">3</x:id></x:formular></x:schreibe>'
    changes = read_xzufi(message(no_id, unknown, "<x:schreibe/>", service(NAME)))
    assert [(one.place, one.kind, one.id, one.reason) for one in changes if isinstance(one, Refused)] == [
        ("line 1", "leistung", "", "it has no id"),
        ("line 2", "formular", "L1/3", "not taken over: formular"),
        ("line 3", "", "", "nothing stands in it"),
    ]
    assert len(upserts(changes)) == 1


def test_a_text_that_is_too_long_is_one_refused_record(read_xzufi: Any) -> None:
    changes = read_xzufi(message(service(NAME + text("06", "a" * 100_001), "1"), service(NAME, "2")))
    assert "at most 100000 letters" in refusals(changes)[0]
    assert [one["id"] for one in upserts(changes)] == ["l1-2"]


def test_a_crowded_record_is_refused(read_xzufi: Any) -> None:
    attributes = " ".join(f'a{number}="1"' for number in range(40))
    crowded = service(f"{NAME}<x:kategorie {attributes}/>", "1")
    many = service(NAME + "<x:a/>" * 100_001, "2")
    changes = read_xzufi(message(crowded, many, service(NAME, "3")))
    assert len(refusals(changes)) == 2
    assert [one["id"] for one in upserts(changes)] == ["l1-3"]


def test_the_second_text_of_one_module_does_not_cover_the_first(read_xzufi: Any) -> None:
    changes = read_xzufi(
        message(service(NAME + text("11", "eins") + text("11", "zwei") + text("11", "two", language="en")))
    )
    assert upserts(changes)[0]["modules"] == [{"code": "11", "text": {"de": "eins", "en": "two"}}]
    assert any("stands there twice" in note for note in only(changes).notes)


def test_languages(read_xzufi: Any) -> None:
    """As they are given, the first part in small letters; what is none is left out and said."""
    inner = "".join(
        text("06", said, language=code) for code, said in {"DE-x-leicht": "a", "en_GB": "b", "!": "c"}.items()
    )
    changes = read_xzufi(message(service(NAME + inner)))
    assert upserts(changes)[0]["description"] == {"de-x-leicht": "a", "en-GB": "b"}
    assert "'!' is no language" in only(changes).notes


def test_control_characters_are_left_out(read_xzufi: Any) -> None:
    """XML forbids most of them, HTML within it brings them back."""
    changes = read_xzufi(
        message(
            service(
                text("02", "Aus&#127;weis")
                + text("06", "&lt;p&gt;a&amp;#8;b&lt;/p&gt;&lt;ul&gt;&lt;li&gt;&amp;#8;&lt;/li&gt;&lt;/ul&gt;")
            )
        )
    )
    assert upserts(changes)[0]["name"] == {"de": "Ausweis"}
    assert upserts(changes)[0]["description"] == {"de": "ab"}
    assert not record_mistakes(only(changes))


def test_html_as_elements(read_xzufi: Any) -> None:
    """Some forget to escape it."""
    inner = text("06", '<p xmlns="http://www.w3.org/1999/xhtml">Eins<br/><a href="https://example.org">zwei</a></p>')
    changes = read_xzufi(message(service(NAME + inner)))
    assert upserts(changes)[0]["description"] == {"de": '<p>Eins<br><a href="https://example.org">zwei</a></p>'}


def test_amounts(read_xzufi: Any) -> None:
    """German and English decimals; prose is no amount, and is not lost without a word."""
    costs = "".join(
        f"<x:kosten><x:kostenFix><x:betrag>{amount}</x:betrag></x:kostenFix></x:kosten>"
        for amount in ("12,50", "12.5", "-3", "1.234,50", "nach Aufwand", "NaN")
    )
    [made] = read_xzufi(message(service(f"{NAME}<x:modulKosten>{costs}</x:modulKosten>")))
    assert [fee["amount"] for fee in made.record["fees"]] == ["12.50", "12.5"]
    assert sum("is no amount" in note for note in made.notes) == 4


def test_drafts_are_for_staff(read_xzufi: Any) -> None:
    draft = "<x:statusBibliothek><code>3</code></x:statusBibliothek>"
    changes = read_xzufi(message(service(NAME + draft, "1"), service(NAME + draft.replace("3", "6"), "2")))
    assert [one.get("visibility") for one in upserts(changes)] == ["staff", None]


def test_the_level_of_trust_of_a_service_is_that_of_its_online_services(read_xzufi: Any) -> None:
    level = "<x:vertrauensniveau><code>30</code></x:vertrauensniveau>"
    changes = read_xzufi(message(online(), transfer("7", "1"), service(NAME + level)))
    assert upserts(changes)[0]["links"][0]["trust_level"] == "30"


def test_ids_of_ours_are_believed_only_in_their_form(read_xzufi: Any) -> None:
    changes = read_xzufi(message(service(NAME, "passport", "servicepunkt"), service(NAME, "Pass Port", "servicepunkt")))
    assert [(one["id"], "external" in one) for one in upserts(changes)] == [("passport", False)]
    assert refusals(changes) == ["'Pass Port' is no id of ours"]


def test_a_responsibility_in_an_authority_with_a_mistake_does_not_take_the_authority_with_it(read_xzufi: Any) -> None:
    inner = "<x:zustaendigkeit><x:gebietID>06</x:gebietID></x:zustaendigkeit>"
    changes = read_xzufi(message(office(inner=inner)))
    assert [type(one) for one in changes] == [Upsert, Refused]
    assert "it names no service" in refusals(changes)[0]
