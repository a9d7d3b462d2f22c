"""Search by the words of citizens, at a terminal with a keyboard on its screen, and on the web."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from babel import Locale, UnknownLocaleError
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import Parameter

from servicepunkt.core.catalogue.search import misses
from servicepunkt.core.catalogue.search.index import Answer
from servicepunkt.core.catalogue.search.misses import Misses
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.terminal import content
from servicepunkt.web.terminal.content import FoundSeen, Sight, Wanted
from servicepunkt.web.terminal.pages import PUBLIC, page, sight_of

MAX_TYPED = 100
MOST_FOUND, MOST_SHOWN = 60, 20
KEYS = ("1234567890", "qwertzuiopü", "asdfghjklöä", "yxcvbnmß-")
BACK, SPACE = "back", "space"
FILTERS = (
    ("now", "Possible now"),
    ("here", "Possible here"),
    ("online", "Also on the internet"),
    ("walk_in", "Without an appointment"),
)

Text = Annotated[str, Parameter(max_length=4096)]
Switch = Annotated[str, Parameter(max_length=8)]


class FilterSeen(msgspec.Struct, frozen=True):
    """A filter with how much of what was found is left with it; `words` is a message id or a theme's name."""

    name: str
    value: str
    words: Any
    count: int
    on: bool


def pressed(typed: str, key: str) -> str:
    """What stands in the field after a key on the screen; anything that is no key changes nothing."""
    if key == BACK:
        return typed[:-1]
    if key == SPACE:
        return f"{typed} " if typed else typed
    return typed + key if len(key) == 1 and any(key in row for row in KEYS) else typed


async def note_miss(request: Request[Any, Any, Any], typed: str, asker: str, sight: Sight) -> None:
    """What several have looked for in vain is written down for editors."""
    counted: Misses = request.app.state["misses"]
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    if (enough := counted.note(ctx.id, typed, asker, sight.at)) is not None:
        async with deployment.database.tenant(ctx) as tx:
            await misses.write(tx, *enough, day=sight.day)


async def search_page(
    request: Request[Any, Any, Any], sight: Sight, typed: str, wanted: Wanted, *, asker: str
) -> Response[str]:
    """What was found for `typed`, and with which filters less of it would be."""
    typed = "".join(sign for sign in typed[:MAX_TYPED] if sign.isprintable())
    search: CatalogueSearch = request.app.state["search"]
    answer = Answer([], {})
    if typed.strip():
        answer = await search.search(sight.published, typed, limit=MOST_FOUND)
        # While somebody is still typing, half a word is no question.
        if not answer.found and "hx-request" not in request.headers:
            await note_miss(request, typed, asker, sight)
    found = content.found_here(sight, answer.found)
    shown = [seen for seen in found if content.fits(seen, wanted)]
    return page(
        request,
        "web/search.html",
        sight,
        typed=typed,
        # Another language or view asks the same once more.
        path=f"{request.scope['path']}?{urlencode({'q': typed, **asked(wanted)})}",
        found=shown[:MOST_SHOWN],
        more=len(shown) > MOST_SHOWN,
        nothing=bool(typed.strip()) and not shown,
        meant=list(answer.meant.items()),
        filters=filters(sight, found, wanted),
        themes=content.themes(sight),
        keys=KEYS,
    )


def asked(wanted: Wanted) -> dict[str, str]:
    """The filters that are on, as a form sends them."""
    on = ((name, getattr(wanted, name)) for name in wanted.__struct_fields__)
    return {name: "yes" if value is True else str(value) for name, value in on if value}


def filters(sight: Sight, found: list[FoundSeen], wanted: Wanted) -> list[FilterSeen]:
    """Filters that would leave something, and those that are on."""
    seen = [
        FilterSeen(name, "yes", words, _count(found, wanted, name, True), getattr(wanted, name))
        for name, words in FILTERS
        # On the web every offer is somewhere, and nowhere is here.
        if name != "here" or sight.point is not None
    ]
    seen += [
        FilterSeen("theme", theme.id, theme.name, _count(found, wanted, "theme", theme.id), wanted.theme == theme.id)
        for theme in sight.catalogue.themes
    ]
    spoken = sorted({tongue for one in found for offer in one.offers for tongue in offer.offer.languages})
    seen += [
        FilterSeen(
            "spoken", tongue, tongue_names(tongue), _count(found, wanted, "spoken", tongue), wanted.spoken == tongue
        )
        for tongue in spoken
    ]
    return [one for one in seen if one.on or 0 < one.count < len(found)]


def tongue_names(tongue: str) -> dict[str, str]:
    """A language that is spoken somewhere, by its names in German and English."""
    try:
        named = Locale.parse(tongue, sep="-")
    except (ValueError, UnknownLocaleError):
        return {"de": tongue}
    return {locale: named.get_display_name(locale) or tongue for locale in ("de", "en")}


def _count(found: list[FoundSeen], wanted: Wanted, name: str, value: object) -> int:
    asked = msgspec.structs.replace(wanted, **{name: value})
    return sum(content.fits(seen, asked) for seen in found)


@get("/search", opt=PUBLIC)
async def public_search(
    request: Request[Any, Any, Any],
    q: Text = "",
    theme: Text = "",
    now: Switch = "",
    online: Switch = "",
    walk_in: Switch = "",
    spoken: Switch = "",
) -> Response[str]:
    """Search over all points."""
    wanted = Wanted(theme=theme, now=now == "yes", online=online == "yes", walk_in=walk_in == "yes", spoken=spoken)
    address = request.client.host if request.client else ""
    return await search_page(request, await sight_of(request), q, wanted, asker=address)


@get("/k/search", guards=[access.terminal])
async def terminal_search(
    request: Request[Any, Any, Any],
    device: NamedDependency[Device],
    q: Text = "",
    key: Switch = "",
    theme: Text = "",
    now: Switch = "",
    here: Switch = "",
    online: Switch = "",
    walk_in: Switch = "",
    spoken: Switch = "",
) -> Response[str]:
    """Search at a terminal: what is possible here and now comes first. `key` is one of the keyboard on the screen."""
    wanted = Wanted(
        theme=theme,
        now=now == "yes",
        here=here == "yes",
        online=online == "yes",
        walk_in=walk_in == "yes",
        spoken=spoken,
    )
    typed = pressed(q, key)
    return await search_page(request, await sight_of(request, device), typed, wanted, asker=str(device.id))


HANDLERS = (public_search, terminal_search)
