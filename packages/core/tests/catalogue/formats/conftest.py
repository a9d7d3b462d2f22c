"""A catalogue in which everything stands that a service can say."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import BinaryIO

import pytest

from servicepunkt.core.catalogue.checks import mistakes
from servicepunkt.core.catalogue.formats.model import Change, Format, Limits
from servicepunkt.core.catalogue.model import (
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
    Partner,
    Point,
    Responsibility,
    Service,
    Theme,
)

BASE = "https://stadt.example/punkt/"
ADDRESS = Address(
    street="Marktplatz 1",
    postcode="01234",
    town="Musterstadt",
    floor={"de": "1. OG"},
    directions={"de": "Aufzug links"},
)
PASSPORT = Service(
    id="reisepass",
    name={"de": "Reisepass", "en": "Passport", "de-x-leicht": "Pass für Reisen"},
    themes=("ausweise",),
    competence="stadt",
    leika=("99085001012000", "99085001040000"),
    official_name={"de": "Reisepass Ausstellung"},
    summary={"de": "Ein Pass.", "en": "A passport."},
    description={
        "de": "<p>Mit <strong>Foto</strong> &lt;biometrisch&gt;.</p><ul><li>eins</li></ul>",
        "en": "One\n\nTwo",
    },
    modules=(
        Module(code="09", text={"de": "Sie sind Deutsche oder Deutscher."}),
        Module(code="11", text={"de": "Erst kommen, dann abholen.", "en": "Come, then collect."}, translated=("en",)),
        Module(code="x-own", channel="point", text={"de": "Nur hier."}),
    ),
    documents=(
        DocumentNeed(text={"de": "Foto", "en": "Photo"}, when={"de": "wenn Sie keines machen lassen"}, original=True),
        DocumentNeed(text={"de": "Urkunde"}, mandatory=False, type="001"),
        DocumentNeed(text={"de": "Der Pass"}, direction="out"),
    ),
    fee={"de": "70 Euro, 37,50 Euro unter 24 Jahren"},
    fees=(
        Fee(amount=Decimal("70.00"), text={"de": "ab 24 Jahren"}, type="001"),
        Fee(amount=Decimal(22), amount_to=Decimal("32.50"), prepaid=True),
        Fee(text={"de": "Auskunft"}, channel="point"),
    ),
    duration={"de": "etwa vier Wochen"},
    durations=(
        Duration(kind="processing", least=3, most=4, unit="WOCHE"),
        Duration(kind="processing", least=5, unit="MINUTE", channel="point", text={"de": "am Punkt"}),
        Duration(kind="deadline", least=1, most=3, unit="TAG", most_unit="MONAT"),
    ),
    legal_basis=("PassV", LegalReference(citation="§ 6 PassG", url="https://law.example/passg#6")),
    links=(
        Link(kind="online", url="https://online.example/{antrag}", name={"de": "Antrag"}, trust_level="30"),
        Link(kind="form", url="https://form.example/1", areas=("06611",), on_terminal=True),
        Link(kind="booking", url="https://termin.example/"),
        Link(kind="page", url="https://stadt.example/pass", name={"de": "Mehr"}),
    ),
    keywords=("Pass", "=Reise|pass", "Ausweis \\ weg"),
    audience=("001",),
    valid_from=date(2026, 1, 1),
    external=ExternalId(agency="L", value="0815"),
)
EXAMPLE = Catalogue(
    hosts=(
        Host(
            id="kaufhaus",
            name="Kaufhaus",
            kind="department_store",
            hours="Mo-Sa 09:30-20:00; PH off",
            contract=Contract(since=date(2021, 10, 1)),
        ),
        Host(id="markt", name='Markt "am Tor"', kind="other", hours="Jan-Mar Mo-Fr 10:00-12:00"),
    ),
    points=(
        Point(
            id="punkt", name={"de": "Service Point"}, host="kaufhaus", address=ADDRESS, help_phone="115", area_m2=150
        ),
        Point(id="bus", name={"de": "Bus", "en": "Bus"}, host="markt", kind="mobile", address=ADDRESS),
    ),
    partners=(
        Partner(
            id="stadt",
            name="Stadt Musterstadt",
            kind="authority",
            website="https://stadt.example",
            phone="+49 1234 0",
            email="post@stadt.example",
            address=ADDRESS,
        ),
        Partner(id="werke", name="Stadtwerke", kind="municipal_enterprise", valid_until=date(2030, 1, 1)),
        Partner(id="laden", name="Laden & Söhne", kind="company"),
    ),
    themes=(
        Theme(id="ausweise", name={"de": "Ausweise", "en": "IDs"}, leika_groups=("085",), order=10),
        Theme(id="alles", name={"de": "Alles"}, others=True),
    ),
    services=(
        PASSPORT,
        Service(id="geheim", name={"de": "Nur für das Personal"}, visibility="staff", competence="stadt"),
        Service(
            id="strom",
            name={"de": "Strom"},
            competence="werke",
            valid_until=date(2026, 6, 30),
            ended={"de": "Gibt es nicht mehr."},
        ),
        Service(id="schuhe", name={"de": "Schuhe"}, competence="laden", fee={"de": "kommt darauf an"}),
        Service(id="schluessel", leika=("99115005104000",)),
    ),
    offers=(
        Offer(
            service="reisepass",
            point="punkt",
            provider="werke",
            can=("inform", "apply"),
            non_digital={"de": "Im Bürgerbüro."},
            hours="Mo-Fr 10:00-16:00",
            staffed=True,
            accepted_for="stadt",
            hint={"de": "Bitte klingeln."},
            languages=("de", "tr"),
            modules=(Module(code="16", text={"de": "Hinweis"}),),
        ),
        Offer(
            service="reisepass", point="bus", provider="stadt", can=("inform",), non_digital={"de": "Im Bürgerbüro."}
        ),
        Offer(service="schuhe", point="punkt", provider="laden", can=("sell",), non_digital={}),
    ),
    areas=(
        Area(ars="06", name="Hessen"),
        Area(ars="066110000000", name="Musterstadt", postcodes=("01234", "34117"), home=True),
        Area(ars="066339999999", name="Altdorf", valid_until=date(2020, 1, 1), successor="066110000000"),
    ),
    responsibilities=(
        Responsibility(service="reisepass", authority="stadt", area="066110000000"),
        Responsibility(
            service="reisepass",
            authority="stadt",
            role="contact",
            caveat={"de": "Nur mit Termin."},
            booking="https://termin.example/stadt",
        ),
    ),
)


@pytest.fixture
def example() -> Catalogue:
    assert mistakes(EXAMPLE) == []
    return EXAMPLE


@pytest.fixture
def base() -> str:
    return BASE


@pytest.fixture
def changes() -> Callable[..., list[Change]]:
    """What a format reads from bytes by part, or from bytes as its first part."""

    def read(form: Format, content: bytes | Mapping[str, bytes], limits: Limits | None = None) -> list[Change]:
        assert form.read is not None
        parts = {form.parts[0]: content} if isinstance(content, bytes) else content
        files: dict[str, BinaryIO] = {part: io.BytesIO(body) for part, body in parts.items()}
        return list(form.read(files, limits or Limits()))

    return read
