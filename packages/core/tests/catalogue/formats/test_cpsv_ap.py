"""The export as CPSV-AP: it validates against the shapes of the standard, and says what the catalogue says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pyshacl
import pytest
import rdflib
from rdflib.namespace import DCTERMS, RDF

from servicepunkt.core.catalogue.formats import cpsv_ap
from servicepunkt.core.catalogue.model import Catalogue, Service

DATA = Path(__file__).parent / "data"
CPSV = rdflib.Namespace("http://purl.org/vocab/cpsv#")
CV = rdflib.Namespace("http://data.europa.eu/m8g/")
#: Beside the terms of the profile: those of the vocabularies that it is made of.
OTHERS = {
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
    "http://www.w3.org/2004/02/skos/core#notation",
}

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:rdflib", "ignore:.*is deprecated:DeprecationWarning"
)


def graph_of(catalogue: Catalogue, base: str, day: date | None = None) -> rdflib.Graph:
    graph = rdflib.Graph()
    graph.parse(data=b"".join(cpsv_ap.write(catalogue, base, day=day)), format="json-ld")
    return graph


def conforms(graph: rdflib.Graph) -> tuple[bool, str]:
    shapes = rdflib.Graph().parse(DATA / "cpsv-ap-SHACL.ttl")
    found, _, text = pyshacl.validate(graph, shacl_graph=shapes)
    return bool(found), text


def test_conforms_to_the_shapes(example: Catalogue, base: str) -> None:
    graph = graph_of(example, base)
    found, text = conforms(graph)
    assert found, text
    assert set(graph.subjects(RDF.type, CPSV.PublicService)) == {
        rdflib.URIRef("https://stadt.example/punkt/service/reisepass"),
        rdflib.URIRef("https://stadt.example/punkt/service/strom"),
    }


def test_the_shapes_notice_what_is_missing(example: Catalogue, base: str) -> None:
    graph = graph_of(example, base)
    graph.remove((None, CV.hasCompetentAuthority, None))
    assert not conforms(graph)[0]


def test_only_terms_of_the_standard_are_used(example: Catalogue, base: str) -> None:
    context = msgspec.json.decode((DATA / "cpsv-ap.jsonld").read_bytes())["@context"]
    known = {term["@id"] if isinstance(term, dict) else term for term in context.values()}
    used = {str(predicate) for predicate in graph_of(example, base).predicates()}
    assert used - known == OTHERS


def test_says_what_the_catalogue_says(example: Catalogue, base: str) -> None:
    graph = graph_of(example, base)
    service = rdflib.URIRef("https://stadt.example/punkt/service/reisepass")
    titles = {str(one.language): str(one) for one in graph.objects(service, DCTERMS.title)}
    assert titles == {"de": "Reisepass", "en": "Passport", "de-x-leicht": "Pass für Reisen"}
    assert rdflib.Literal("Mit Foto <biometrisch>.\neins", "de") in graph.objects(service, DCTERMS.description)
    assert [str(one) for one in graph.objects(service, CV.processingTime)] == ["P28D"]
    costs = {str(one): graph.value(one, CV.hasValue) for one in graph.objects(service, CV.hasCost)}
    assert sorted(str(one) for one in costs.values()) == ["0.0", "70.0", "None"]
    point = rdflib.URIRef(f"{service}#point-punkt-werke")
    assert str(graph.value(point, CV.processingTime)) == "PT5M"
    assert [str(one) for one in graph.objects(service, DCTERMS.spatial)] == [
        "http://dcat-ap.de/def/politicalGeocoding/regionalKey/066110000000"
    ]
    assert {str(one) for one in graph.objects(service, DCTERMS.language)} == {
        "http://publications.europa.eu/resource/authority/language/DEU",
        "http://publications.europa.eu/resource/authority/language/TUR",
    }


def test_nothing_for_staff_alone_is_in_it(example: Catalogue, base: str) -> None:
    written = b"".join(cpsv_ap.write(example, base))
    assert b"geheim" not in written
    assert b"Nur f" not in written


def test_on_a_day_only_what_is_valid_then(example: Catalogue, base: str) -> None:
    assert b"/service/strom" in b"".join(cpsv_ap.write(example, base, day=date(2026, 6, 30)))
    assert b"/service/strom" not in b"".join(cpsv_ap.write(example, base, day=date(2026, 7, 1)))


def test_without_an_authority_there_is_no_public_service(base: str) -> None:
    catalogue = Catalogue(services=(Service(id="allein", name={"de": "Allein"}),))
    assert not list(graph_of(catalogue, base).subjects(RDF.type, CPSV.PublicService))


def test_working_days_are_no_duration(example: Catalogue, base: str) -> None:
    service = msgspec.convert(
        {"id": "x", "name": {"de": "x"}, "competence": "stadt"}
        | {"durations": [{"kind": "processing", "least": 5, "unit": "WERKTAG"}]},
        Service,
    )
    written = b"".join(cpsv_ap.write(msgspec.structs.replace(example, services=(service,)), base))
    assert b"processingTime" not in written
