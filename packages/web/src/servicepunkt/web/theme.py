"""Section [theme] of a tenant file: the town's colour and its logo, and whether everybody can read them. Pure.

Contrast is that of WCAG 2.2, 1.4.3 and 1.4.11. The colours hold in the light view only: with high contrast, and where a
browser prefers dark, KERN's own stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, cast

import msgspec
from lxml import etree
from msgspec import Meta

from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.rules import Broken, rule

SECTION = "theme"
TEXT_CONTRAST = 4.5
WHITE = "#ffffff"
MAX_LOGO = 64 * 1024
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")]

LOW_CONTRAST = rule(
    "SP1201",
    "{one} on {other} has a contrast of {found}:1, at least 4.5:1 is needed",
    "Take a darker or a lighter colour: many people could not read it.",
)
NO_PICTURE = rule("SP1202", "the logo is no SVG picture: {why}")
UNSAFE_PICTURE = rule("SP1203", "the logo holds {what}, which is not shown", "Export it as a plain SVG.")
LOGO_WITHOUT_NAME = rule("SP1204", "the logo has no `logo_text`: what is in it, for who does not see it")

SVG = "{http://www.w3.org/2000/svg}"
#: What a picture consists of. Everything else can run, load or link something.
SHAPES = frozenset(
    SVG + name
    for name in (
        "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title",
        "desc", "defs", "linearGradient", "radialGradient", "stop", "clipPath", "mask", "metadata",
    )
)  # fmt: skip
NUMBERS = frozenset({
    "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "dx", "dy", "fx", "fy", "d", "points", "width",
    "height", "viewBox", "version", "id", "transform", "offset", "fill", "gradientTransform", "gradientUnits",
    "clipPathUnits", "maskUnits", "fill-rule", "fill-opacity", "stroke", "stroke-width", "stroke-linecap",
    "stroke-linejoin", "stroke-opacity", "stroke-miterlimit", "stroke-dasharray", "opacity", "clip-path", "clip-rule",
    "mask", "stop-color", "stop-opacity", "font-family", "font-size", "font-weight", "text-anchor", "letter-spacing",
    "preserveAspectRatio", "role", "aria-label",
})  # fmt: skip


class ThemeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`action`: buttons, links and what is chosen; `on_action`: what stands on it.

    `logo` is the SVG picture itself; in a folder it is the file theme/logo.svg. `logo_text` says what is in it.
    """

    action: Colour | None = None
    on_action: Colour = WHITE
    logo: Annotated[str, Meta(max_length=MAX_LOGO)] = ""
    logo_text: Annotated[str, Meta(max_length=120)] = ""

    def css(self) -> str:
        """The style sheet of the tenant; empty where it has no colour of its own."""
        if self.action is None:
            return ""
        values = (
            f"--kern-color-action-default:{self.action};--kern-color-action-on-default:{self.on_action};"
            f"--kern-color-action-visited:{self.action};"
        )
        return (
            f"@media not (prefers-color-scheme:dark){{:root:not([data-contrast]){{{values}}}}}\n"
            f':root[data-kern-theme="light"]:not([data-contrast]){{{values}}}\n'
        )


def mistakes(draft: TenantDraft) -> Iterator[tuple[str, Broken]]:
    """(place within the section, broken rule)."""
    settings = draft.ctx.section(SECTION, ThemeSettings)
    if settings.action is not None:
        for other in dict.fromkeys((settings.on_action, WHITE)):
            if (found := contrast(settings.action, other)) < TEXT_CONTRAST:
                yield "action", LOW_CONTRAST(one=settings.action, other=other, found=f"{found:.1f}")
    if settings.logo:
        yield from (("logo", broken) for broken in picture_mistakes(settings.logo))
        if not settings.logo_text.strip():
            yield "logo_text", LOGO_WITHOUT_NAME()


def contrast(one: str, other: str) -> float:
    """From 1 (equal) to 21 (black and white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def picture_mistakes(text: str) -> Iterator[Broken]:
    """What in a picture could run, load or link something, or is none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        yield NO_PICTURE(why=str(error).split(",", 1)[0])
        return
    if root.tag != f"{SVG}svg":
        yield NO_PICTURE(why=str(root.tag))
    if cast("Any", root.getroottree().docinfo).doctype:
        yield UNSAFE_PICTURE(what="DOCTYPE")
    found: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        if element.tag not in SHAPES:
            found.add(f"<{etree.QName(element).localname}>")
        for name, value in element.attrib.items():
            if name not in NUMBERS and name != "{http://www.w3.org/XML/1998/namespace}space":
                found.add(str(etree.QName(name).localname))
            elif "url(" in str(value) and not str(value).replace(" ", "").startswith("url(#"):
                found.add("url()")
    yield from (UNSAFE_PICTURE(what=what) for what in sorted(found))
