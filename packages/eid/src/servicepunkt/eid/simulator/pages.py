"""The desk in the browser: a card, a reader, and buttons. Plain forms, on this computer alone, for example data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal

import msgspec
from litestar import Litestar, MediaType, Response, get, post
from litestar.datastructures import CacheControlHeader, MutableScopeHeaders
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.static_files import create_static_files_router
from litestar.types import Message, Scope

from servicepunkt.eid.simulator.ausweisapp import SimulatedAusweisApp
from servicepunkt.eid.testing.ausweisapp import FakeCard
from servicepunkt.eid.testing.person import CAN, PIN, PUK, TRANSPORT_PIN

STATIC = Path(__file__).parent / "static"
NOT_KEPT = CacheControlHeader(no_store=True)
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
Kind = Literal["ready", "letter", "last_try", "blocked", "off"]
Language = Literal["de", "en"]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
#: Scans what a terminal shows and answers it; says how it went. None where there is no wallet.
Wallet = Callable[[str], str]
MOST_LETTERS = 4_000

NEW: dict[Kind, Callable[[], FakeCard]] = {
    "ready": lambda: FakeCard(pin=PIN, can=CAN, puk=PUK),
    "letter": lambda: FakeCard(pin=TRANSPORT_PIN, can=CAN, puk=PUK, letter=True),
    "last_try": lambda: FakeCard(pin=PIN, can=CAN, puk=PUK, tries=1),
    "blocked": lambda: FakeCard(pin=PIN, can=CAN, puk=PUK, tries=0),
    "off": lambda: FakeCard(pin=PIN, can=CAN, puk=PUK, deactivated=True),
}
TEXTS: dict[Language, dict[str, str]] = {
    "de": {
        "title": "Ein Ausweis zum Üben",
        "intro": "Simuliertes Kartenlesegerät mit dem Musterausweis. Hier wird niemand ausgewiesen.",
        "lies": "Der Ausweis liegt auf dem Lesegerät.",
        "gone": "Auf dem Lesegerät liegt nichts.",
        "lay": "Ausweis auflegen",
        "take": "Ausweis wegnehmen",
        "another": "Einen anderen Ausweis in die Hand nehmen",
        "ready": "mit eigener PIN",
        "letter": "mit PIN-Brief",
        "last_try": "zweimal falsche PIN",
        "blocked": "PIN gesperrt",
        "off": "Online-Funktion aus",
        "tries": "Versuche",
        "wallet": "Die Wallet der Musterperson",
        "scan": "Was der QR-Code sagt",
        "answer": "Anfrage beantworten",
        "language": "English",
    },
    "en": {
        "title": "An ID card to practise",
        "intro": "A simulated card reader with the specimen card. Nobody is identified here.",
        "lies": "The card lies on the reader.",
        "gone": "Nothing lies on the reader.",
        "lay": "Lay the card on",
        "take": "Take the card away",
        "another": "Take another card",
        "ready": "with a PIN of its own",
        "letter": "with a PIN letter",
        "last_try": "wrong PIN twice",
        "blocked": "PIN blocked",
        "off": "online function off",
        "tries": "tries",
        "wallet": "The specimen person's wallet",
        "scan": "What the QR code says",
        "answer": "Answer the request",
        "language": "Deutsch",
    },
}
PAGE = Template((Path(__file__).parent / "page.html").read_text("utf-8"))
WALLET = Template((Path(__file__).parent / "wallet.html").read_text("utf-8"))


class State(msgspec.Struct, frozen=True):
    """What lies on the reader, for programs."""

    lies: bool
    tries: int
    letter: bool
    off: bool


def create_desk(app: SimulatedAusweisApp, wallet: Wallet | None = None) -> Litestar:
    """The pages of one card at one reader."""
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))).hexdigest()[:12]
    held: dict[str, Any] = {"card": NEW["ready"](), "kind": "ready", "said": ""}

    @get("/", media_type=MediaType.HTML, cache_control=NOT_KEPT)
    async def page(lang: FromQuery[Language] = "de") -> str:
        said, held["said"] = held["said"], ""
        return draw(app.lies, held["card"], held["kind"], lang, said=said, version=version, wallet=wallet is not None)

    @get("/state", cache_control=NOT_KEPT)
    async def state() -> State:
        card = held["card"]
        return State(app.lies, card.tries, card.letter, card.deactivated)

    @post("/lay")
    async def lay(lang: FromQuery[Language] = "de") -> Response[None]:
        if not app.lies:
            await app.lay_on(held["card"])
        return _see(lang)

    @post("/take")
    async def take(lang: FromQuery[Language] = "de") -> Response[None]:
        if app.lies:
            await app.take_off()
        return _see(lang)

    @post("/card/{kind:str}")
    async def another(kind: FromPath[Kind], lang: FromQuery[Language] = "de") -> Response[None]:
        if app.lies:
            await app.take_off()
        held.update(card=NEW[kind](), kind=kind)
        return _see(lang)

    @post("/wallet")
    async def scan(data: Form, lang: FromQuery[Language] = "de") -> Response[None]:
        if wallet is not None:
            held["said"] = await _in_thread(wallet, data.get("link", "")[:MOST_LETTERS].strip())
        return _see(lang)

    return Litestar(
        [page, state, lay, take, another, scan, create_static_files_router("/static", [STATIC])],
        before_send=[_protect],
        request_max_body_size=64 * 1024,
        openapi_config=None,
        logging_config=None,
    )


async def _in_thread(wallet: Wallet, link: str) -> str:
    import asyncio

    return await asyncio.to_thread(wallet, link)


def draw(lies: bool, card: FakeCard, kind: Kind, lang: Language, *, said: str, version: str, wallet: bool) -> str:
    """The page."""
    words = {name: escape(text) for name, text in TEXTS[lang].items()}
    cards = "".join(
        f'<form method="post" action="card/{one}?lang={lang}"><button aria-pressed="{str(one == kind).lower()}">'
        f"{words[one]}</button></form>"
        for one in NEW
    )
    asks = WALLET.substitute(words, lang=lang, said=escape(said)) if wallet else ""
    return PAGE.substitute(
        words,
        lang=lang,
        other="en" if lang == "de" else "de",
        version=version,
        where="on" if lies else "off",
        state=words["lies" if lies else "gone"],
        act="take" if lies else "lay",
        label=words["take" if lies else "lay"],
        cards=cards,
        pin=card.pin,
        can=card.can,
        puk=card.puk,
        left=card.tries,
        wallet_part=asks,
    )


def _see(lang: Language) -> Response[None]:
    return Response(None, status_code=303, headers={"Location": f"/?lang={lang}"})


async def _protect(message: Message, _scope: Scope) -> None:
    if message["type"] == "http.response.start":
        MutableScopeHeaders(message).update(HEADERS)
