"""What of the catalogue is searched: each service in all languages, with who offers it under which theme. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from servicepunkt.core.catalogue.html import plain
from servicepunkt.core.catalogue.model import Catalogue, Service, Text
from servicepunkt.core.catalogue.search.index import Document

MAIN = "de"


def documents(catalogue: Catalogue, *, for_staff: bool = False) -> list[Document]:
    """One for each service that everybody, or staff, may read: it is found in whatever language somebody types."""
    providers: dict[str, list[str]] = {}
    names = {partner.id: partner.name for partner in catalogue.partners}
    for offer in catalogue.offers:
        if offer.provider in names:
            providers.setdefault(offer.service, []).append(names[offer.provider])
    themes = {theme.id: _all([theme.name]) for theme in catalogue.themes}
    return [
        _document(
            service,
            providers=dict.fromkeys(providers.get(service.id, ())),
            themes=[word for theme in service.themes for word in themes.get(theme, ())],
        )
        for service in catalogue.services
        if for_staff or service.visibility == "public"
    ]


def _document(service: Service, *, providers: Iterable[str], themes: Iterable[str]) -> Document:
    name = service.name.get(MAIN) or next(iter(service.name.values()), "")
    needs = [need.text for need in service.documents]
    return Document(
        id=service.id,
        name=name,
        keywords=[*service.keywords, *(one for one in _all([service.name, service.official_name]) if one != name)],
        summary=" ".join([*_all([service.summary]), *providers, *themes]),
        body=" ".join(_all([service.description, *needs, *(module.text for module in service.modules)])),
    )


def _all(texts: Iterable[Text]) -> list[str]:
    """Each text in each of its languages, without repetition."""
    return list(dict.fromkeys(plain(value) for text in texts for value in text.values() if value))
