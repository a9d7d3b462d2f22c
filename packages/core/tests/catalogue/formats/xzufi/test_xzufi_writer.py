"""XZuFi written: reading it gives the same catalogue, and what XZuFi has a word for stands in its elements."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from servicepunkt.core.catalogue.checks import text_mistakes
from servicepunkt.core.catalogue.formats import xzufi
from servicepunkt.core.catalogue.formats.xzufi.names import NAMESPACES
from servicepunkt.core.catalogue.html import clean
from servicepunkt.core.catalogue.model import (
    CAPABILITIES,
    MODULES,
    Address,
    Area,
    Catalogue,
    Contract,
    DocumentNeed,
    Duration,
    ExternalId,
    Fee,
    Host,
    LegalReference,
    Link,
    Module,
    Offer,
    OtherHours,
    Partner,
    Point,
    Responsibility,
    Service,
    Theme,
)

TYPICAL = Service(
    id="passport",
    name={"de": "Reisepass", "en": "Passport"},
    official_name={"de": "Reisepass Ausstellung"},
    leika=("99085001012000",),
    summary={"de": "Für Reisen & mehr."},
    description={"de": "<p>Mit <strong>Chip</strong>.</p><ul><li>32 Seiten</li></ul>", "en": "With a chip.\n\nAlways."},
    modules=(
        Module(code="09", text={"de": "Deutsche Staatsangehörigkeit."}),
        Module(code="11", text={"de": "Antrag im Amt."}),
        Module(code="11", channel="200", text={"de": "Online geht es nicht."}),
        Module(code="x-deadline", text={"de": "Vor der Reise."}),
        Module(code="x-fee", channel="200", text={"de": "Mit Karte."}),
        Module(code="x-tips", text={"de": "Früh kommen."}),
    ),
    documents=(
        DocumentNeed(text={"de": "Lichtbild"}, type="001"),
        DocumentNeed(text={"de": "Einverständnis"}, when={"de": "für Kinder"}, mandatory=False),
        DocumentNeed(text={"de": "Pass"}, direction="out"),
    ),
    fee={"de": "Zahlbar bei Antragstellung."},
    fees=(
        Fee(amount=Decimal("37.50"), type="001", text={"de": "unter 24"}),
        Fee(amount=Decimal(60), amount_to=Decimal("70.00"), prepaid=True, channel="100"),
        Fee(channel="200"),
    ),
    duration={"de": "Meist drei Wochen."},
    durations=(
        Duration(kind="processing", least=2, unit="WOCHE", most=1, most_unit="MONAT"),
        Duration(kind="deadline", least=10, unit="WERKTAG", type="001", channel="100"),
    ),
    legal_basis=(LegalReference(citation="§ 1 PassG", url="https://example.org/passg"),),
    links=(
        Link(kind="online", url="https://example.org/pass", name={"de": "Online"}, trust_level="30", areas=("06611",)),
        Link(kind="form", url="https://example.org/form", name={"de": "Antrag", "en": "Form"}),
        Link(kind="page", url="https://example.org/more"),
    ),
    keywords=("Pass", "Reisedokument"),
    audience=("001",),
    valid_from=date(2026, 1, 1),
    valid_until=date(2027, 12, 31),
    ended={"de": "Der Reisepass wird digital."},
    external=ExternalId(agency="L1", value="42"),
)
OFFICE = Partner(
    id="office",
    name="Bürgerbüro",
    kind="authority",
    phone="0561 000",
    email="office@example.org",
    website="https://example.org",
    address=Address(street="Am Markt 1 a", postcode="00001", town="Ort"),
    valid_from=date(2026, 1, 1),
    external=ExternalId(agency="L1", value="7"),
)


def written(catalogue: Catalogue, agency: str = "servicepunkt") -> bytes:
    return b"".join(xzufi.write(catalogue, agency))


def rests(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(found) for found in re.findall(rb"<\?servicepunkt (.*?)\?>", content)]


def test_a_typical_service_needs_no_rest(read_xzufi: Any, collected: Any) -> None:
    """Names, modules, fees, durations, documents, keywords, links and keys all have words in XZuFi."""
    catalogue = Catalogue(
        partners=(OFFICE,),
        services=(TYPICAL,),
        responsibilities=(
            Responsibility(service="passport", authority="office", area="06633"),
            Responsibility(service="passport", authority="office", area="066330003003", role="contact"),
            Responsibility(service="passport", authority="office"),
        ),
    )
    content = written(catalogue)
    assert rests(content) == []
    assert collected(read_xzufi(content)) == catalogue


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        (msgspec.structs.replace(TYPICAL, themes=("living",)), ["themes"]),
        (msgspec.structs.replace(TYPICAL, competence="office"), ["competence"]),
        (msgspec.structs.replace(TYPICAL, visibility="staff"), []),
        (msgspec.structs.replace(TYPICAL, documents=(DocumentNeed(text={"de": "a"}, original=True),)), ["documents"]),
        (msgspec.structs.replace(TYPICAL, fees=(Fee(channel="point"),)), ["fees"]),
        (msgspec.structs.replace(TYPICAL, name={"de": "a  b"}), ["name"]),
        (msgspec.structs.replace(TYPICAL, legal_basis=("§ 1 <a>", "?> & mehr")), []),
        (msgspec.structs.replace(TYPICAL, name={}), ["name"]),
        (msgspec.structs.replace(TYPICAL, external=None), []),
    ],
)
def test_only_what_xzufi_cannot_say_is_rest(made: Service, fields: list[str], read_xzufi: Any, collected: Any) -> None:
    content = written(Catalogue(services=(made,)))
    assert [sorted(rest["record"]) for rest in rests(content)] == ([fields] if fields else [])
    assert collected(read_xzufi(content)) == Catalogue(services=(made,))


def test_an_example_with_everything_comes_back(read_xzufi: Any, collected: Any, example: Catalogue) -> None:
    content = written(example)
    assert collected(read_xzufi(content)) == example
    assert written(collected(read_xzufi(content))) == content


def test_what_is_for_staff_alone_is_a_draft_to_others() -> None:
    """They do not read our instructions."""
    made = msgspec.structs.replace(TYPICAL, visibility="staff")
    root = etree.fromstring(written(Catalogue(services=(made, msgspec.structs.replace(TYPICAL, id="open")))))
    assert [code.text for code in root.iterfind(".//{*}statusBibliothek/code")] == ["3"]


def test_an_instruction_cannot_end_itself(read_xzufi: Any, collected: Any) -> None:
    theme = Theme(id="a", name={"de": "?><x:schreibe/><?servicepunkt -->"})
    content = written(Catalogue(themes=(theme,)))
    assert content.count(b"?>") == 2
    assert collected(read_xzufi(content)) == Catalogue(themes=(theme,))


def test_the_same_catalogue_gives_the_same_bytes_and_the_time_is_an_argument() -> None:
    catalogue = Catalogue(services=(TYPICAL,), partners=(OFFICE,))
    assert written(catalogue) == written(catalogue)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert b"2026-11-21T00:00:00+00:00" in b"".join(xzufi.write(catalogue, "servicepunkt", created=at))


def test_it_is_what_others_expect(samples: Path) -> None:
    """One namespace, codes without one, a version; every name of an element is one of the standard's."""
    root = etree.fromstring(written(Catalogue(services=(TYPICAL,), partners=(OFFICE,))))
    assert root.get("xzufiVersion") == "2.3.1"
    for element in root.iter("*"):
        is_code = element.tag in ("code", "name")
        assert is_code or element.tag.startswith(f"{{{NAMESPACES['2.3.1']}}}"), element.tag
    assert root.find(".//{*}leikaTextmodul/code") is not None
    assert root.find(".//{*}zugangskanal/code") is not None


def test_with_an_agency_of_its_own_others_see_its_ids_and_we_see_ours(read_xzufi: Any, collected: Any) -> None:
    responsibility = Responsibility(service="passport", authority="office", area="06")
    catalogue = Catalogue(services=(TYPICAL,), partners=(OFFICE,), responsibilities=(responsibility,))
    content = written(catalogue, "L100099")
    assert b'schemeAgencyID="L100099">passport<' in content
    assert collected(read_xzufi(content)) == catalogue


def test_as_a_format_its_ids_are_this_towns_and_ours_again_when_it_is_read(read_xzufi: Any, collected: Any) -> None:
    """Two towns have a "passport" each: to a collector they are two."""
    catalogue = Catalogue(services=(TYPICAL,))
    assert xzufi.FORMAT.write is not None
    day = date(2026, 11, 22)
    one, other = (
        b"".join(xzufi.FORMAT.write(catalogue, base, day=day)) for base in ("https://a.example", "https://b.example")
    )
    assert b'schemeAgencyID="servicepunkt:https://a.example"' in one
    assert b"2026-11-22T00:00:00" in one
    assert one != other
    assert collected(read_xzufi(one)) == collected(read_xzufi(other)) == catalogue


def test_equal_entries_stay_several(read_xzufi: Any, collected: Any) -> None:
    offer = Offer(service="a", point="b", provider="c", can=("inform",), non_digital={"de": "a"})
    one = Responsibility(service="a", authority="c", area="06")
    catalogue = Catalogue(offers=(offer, offer), responsibilities=(one, one))
    changes = read_xzufi(written(catalogue))
    assert len({(change.kind, change.id) for change in changes}) == 4
    assert collected(changes) == catalogue


LANGUAGES = st.sampled_from(["de", "en", "de-x-leicht", "uk", "pt-BR"])
LETTERS = st.text(
    st.one_of(
        st.sampled_from("<>&\"'?;#  \n\t\r\u200b\xa0\u2028\x85-"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=30,
)
PIECES = st.lists(
    st.sampled_from(
        [
            "<p>",
            "</p>",
            "<ul><li>",
            "</li></ul>",
            "<br>",
            "<em>a</em>",
            '<a href="https://a.example">b</a>',
            "c & d",
            "\n\n",
        ]
    ),
    max_size=6,
).map("".join)


def _is_good(text: str) -> bool:
    return not list(text_mistakes("", {"de": text}))


LONG = st.one_of(LETTERS, PIECES, PIECES.map(clean)).filter(_is_good)
PLAIN = LETTERS.filter(lambda text: not text.startswith("<")).filter(_is_good)
TEXTS = st.dictionaries(LANGUAGES, LONG, max_size=3)
NAMES = st.dictionaries(LANGUAGES, PLAIN, max_size=3)
FULL_NAMES = st.dictionaries(LANGUAGES, st.sampled_from(["Ausweis", "A & B", "a < b"]), min_size=1, max_size=2)
IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
CHANNELS = st.sampled_from(["000", "100", "200", "point"])
URLS = st.sampled_from(["https://a.example", "http://b.example/?a=1&b=<2>", "https://c.example/ä"])
DAYS = st.none() | st.dates()
AMOUNTS = st.none() | st.decimals(0, 10**14, places=2, allow_nan=False, allow_infinity=False)
UNITS = st.sampled_from(["TAG", "WOCHE", "MONAT", "SEKUNDE"])
AREAS = st.sampled_from(["", "06", "06611", "066110000", "066110000000", "120650144144"])
CODES = st.sampled_from(["", "001", "999", "a<b"])
EXTERNALS = st.none() | st.builds(ExternalId, agency=LETTERS, value=LETTERS)


def several(made: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(made, max_size=most).map(tuple)


def amounts(fee: Fee) -> bool:
    return fee.amount is None or fee.amount_to is None or fee.amount <= fee.amount_to


MODULE = st.builds(
    Module,
    code=st.sampled_from([*MODULES, "x-fee", "x-deadline", "x-duration", "x-documents-out", "x-own"]),
    text=TEXTS,
    channel=CHANNELS,
    translated=st.lists(LANGUAGES, unique=True, max_size=2).map(tuple),
)
ALL_MODULES = st.lists(MODULE, max_size=4, unique_by=lambda one: (one.code, one.channel)).map(tuple)
SERVICE = st.builds(
    Service,
    id=IDS,
    name=st.one_of(FULL_NAMES, NAMES.filter(bool)),
    themes=several(IDS),
    competence=st.sampled_from(["", "office"]),
    leika=several(st.sampled_from(["99085001012000", "99050012104000"])),
    official_name=NAMES,
    summary=TEXTS,
    description=TEXTS,
    modules=ALL_MODULES,
    documents=several(
        st.builds(
            DocumentNeed,
            text=TEXTS,
            when=TEXTS,
            direction=st.sampled_from(["in", "out"]),
            type=CODES,
            mandatory=st.booleans(),
            original=st.booleans(),
            channel=CHANNELS,
        )
    ),
    fee=TEXTS,
    fees=several(
        st.builds(
            Fee,
            amount=AMOUNTS,
            amount_to=AMOUNTS,
            currency=st.sampled_from(["EUR", "CHF", "euro"]),
            type=CODES,
            prepaid=st.booleans(),
            channel=CHANNELS,
            text=TEXTS,
        ).filter(amounts)
    ),
    duration=TEXTS,
    durations=several(
        st.builds(
            Duration,
            kind=st.sampled_from(["processing", "deadline"]),
            least=st.integers(0, 10**12),
            unit=UNITS,
            most=st.none() | st.integers(0, 100),
            most_unit=st.none() | UNITS,
            type=CODES,
            channel=CHANNELS,
            text=TEXTS,
        )
    ),
    legal_basis=several(st.one_of(LETTERS, st.builds(LegalReference, citation=LETTERS, url=URLS))),
    links=several(
        st.builds(
            Link,
            kind=st.sampled_from(["online", "form", "booking", "page"]),
            url=URLS,
            name=TEXTS,
            trust_level=st.sampled_from(["", "00", "40"]),
            areas=several(AREAS),
            on_terminal=st.booleans(),
        )
    ),
    keywords=several(LETTERS),
    audience=several(CODES),
    visibility=st.sampled_from(["public", "staff"]),
    valid_from=DAYS,
    ended=TEXTS,
    external=EXTERNALS,
)
ADDRESS = st.builds(Address, street=LETTERS, postcode=LETTERS, town=LETTERS, floor=TEXTS, directions=TEXTS)
CATALOGUE = st.builds(
    Catalogue,
    hosts=several(
        st.builds(
            Host,
            id=IDS,
            name=LETTERS,
            kind=st.sampled_from(["shop", "other"]),
            hours=LETTERS,
            contract=st.builds(Contract, since=DAYS, until=DAYS),
        ),
        1,
    ),
    points=several(
        st.builds(
            Point, id=IDS, name=TEXTS, host=IDS, address=ADDRESS, staffed=LETTERS, area_m2=st.none() | st.integers()
        ),
        1,
    ),
    partners=several(
        st.builds(
            Partner,
            id=IDS,
            name=LETTERS,
            kind=st.sampled_from(["authority", "company"]),
            data_protection=st.sampled_from(["controller", "joint"]),
            valid_from=DAYS,
            valid_until=DAYS,
            hours=LETTERS,
            exceptions=several(st.builds(OtherHours, first=st.dates(), last=DAYS, hours=LETTERS, reason=TEXTS), 1),
            website=st.one_of(URLS, LETTERS),
            phone=LETTERS,
            email=LETTERS,
            address=st.none() | ADDRESS,
            external=EXTERNALS,
        ),
        2,
    ),
    themes=several(
        st.builds(Theme, id=IDS, name=TEXTS, intro=TEXTS, icon=LETTERS, order=st.integers(), others=st.booleans()), 1
    ),
    services=st.lists(SERVICE, max_size=2, unique_by=lambda one: one.id).map(tuple),
    offers=several(
        st.builds(
            Offer,
            service=IDS,
            point=IDS,
            provider=IDS,
            can=st.lists(st.sampled_from(CAPABILITIES), max_size=2).map(tuple),
            non_digital=TEXTS,
            hint=TEXTS,
            modules=ALL_MODULES,
            valid_from=DAYS,
        ),
        1,
    ),
    areas=several(
        st.builds(Area, ars=AREAS.filter(bool), name=LETTERS, postcodes=several(LETTERS), home=st.booleans()), 1
    ),
    responsibilities=several(
        st.builds(
            Responsibility,
            service=IDS,
            authority=IDS,
            area=AREAS,
            role=st.sampled_from(["decides", "accepts", "contact"]),
            caveat=TEXTS,
            booking=st.one_of(st.just(""), URLS),
        )
    ),
)


@given(CATALOGUE, st.sampled_from(["servicepunkt", "L100099"]))
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
def test_every_catalogue_comes_back(read_xzufi: Any, collected: Any, catalogue: Catalogue, agency: str) -> None:
    assert collected(read_xzufi(written(catalogue, agency))) == catalogue
