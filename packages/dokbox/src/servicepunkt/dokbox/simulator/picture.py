"""The front of the cabinet as HTML and SVG: what a browser gets, before any style and script.

Every act that is possible is a plain form with one button, laid over the part of the drawing it concerns.
"""

from html import escape
from string import Template
from typing import Literal

from servicepunkt.dokbox.simulator.model import Cabinet, Compartment, Refusal

Language = Literal["de", "en"]
Act = Literal["open", "close", "put", "take", "force"]

CELL_WIDTH, CELL_HEIGHT = 152, 94
FRAME_SIDE, FRAME_TOP, FRAME_BOTTOM = 26, 86, 46
"""In units of the drawing; a door leaves 4 of them free on each side of its cell."""

TEXTS: dict[Language, dict[str, str]] = {
    "de": {
        "title": "Dokumentenbox",
        "subtitle": "Simulator eines Fachschranks",
        "sign": "Dokumentenausgabe",
        "intro": "Türen und Dokumente lassen sich anklicken oder mit der Tabulatortaste erreichen. "
        "Aufschließen kann nur die Steuerung über die Leitung.",
        "picture": "Der Schrank von vorn",
        "compartment": "Fach",
        "state": "Zustand",
        "doors": "offene Türen",
        "items": "Dokumente im Schrank",
        "pulses": "Öffnungsimpulse",
        "faults": "eingestellte Fehler",
        "line": "Leitung zur Steuerung",
        "plugged": "verbunden",
        "unplugged": "unterbrochen",
        "plug": "Stecker einstecken",
        "unplug": "Stecker ziehen",
        "language": "English",
        "shut": "geschlossen",
        "ajar": "offen",
        "loose": "entriegelt",
        "full": "mit Dokument",
        "bare": "leer",
        "open": "öffnen",
        "close": "schließen",
        "put": "einlegen",
        "take": "entnehmen",
        "force": "aufbrechen",
        "no_such_compartment": "Dieses Fach gibt es nicht.",
        "door_shut": "Das geht nicht: die Tür ist zu.",
        "door_open": "Das geht nicht: die Tür ist offen.",
        "latched": "Das geht nicht: die Tür ist verriegelt.",
        "occupied": "Das geht nicht: im Fach liegt schon ein Dokument.",
        "empty": "Das geht nicht: das Fach ist leer.",
    },
    "en": {
        "title": "Document box",
        "subtitle": "Simulator of a compartment cabinet",
        "sign": "Document pick-up",
        "intro": "Click doors and documents, or reach them with the tab key. "
        "Only the controller can unlock, over the line.",
        "picture": "The cabinet from the front",
        "compartment": "Compartment",
        "state": "State",
        "doors": "open doors",
        "items": "documents inside",
        "pulses": "unlock pulses",
        "faults": "faults set",
        "line": "Line to the controller",
        "plugged": "connected",
        "unplugged": "interrupted",
        "plug": "Plug in",
        "unplug": "Pull the plug",
        "language": "Deutsch",
        "shut": "closed",
        "ajar": "open",
        "loose": "unlatched",
        "full": "with document",
        "bare": "empty",
        "open": "open",
        "close": "close",
        "put": "put in",
        "take": "take out",
        "force": "force",
        "no_such_compartment": "There is no such compartment.",
        "door_shut": "Not possible: the door is shut.",
        "door_open": "Not possible: the door is open.",
        "latched": "Not possible: the door is latched.",
        "occupied": "Not possible: there is a document inside already.",
        "empty": "Not possible: the compartment is empty.",
    },
}

WORDS_OF_SCRIPT = ("compartment", "shut", "ajar", "loose", "full", "bare", "plugged", "unplugged", *Refusal)

PAGE = Template("""<!doctype html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title – $subtitle</title>
<link rel="icon" href="static/cabinet.svg?v=$version" type="image/svg+xml">
<link rel="stylesheet" href="static/cabinet.css?v=$version">
<script src="static/cabinet.js?v=$version" defer></script>
</head>
<body>
<header>
<div><h1>$title</h1><p>$subtitle</p></div>
<a href="?lang=$other_lang" lang="$other_lang" hreflang="$other_lang">$language</a>
</header>
<main $words>
<section class="room" aria-label="$picture">
$picture_svg
</section>
<aside>
<p>$intro</p>
<p class="message" role="alert">$message</p>
<section aria-labelledby="state"><h2 id="state">$state</h2>
<dl>
<div><dt>$doors</dt><dd data-count="doors">$door_count</dd></div>
<div><dt>$items</dt><dd data-count="items">$item_count</dd></div>
<div><dt>$pulses</dt><dd data-count="pulses">$pulse_count</dd></div>
<div><dt>$faults</dt><dd data-count="faults">$fault_count</dd></div>
</dl></section>
<section aria-labelledby="line"><h2 id="line">$line</h2>
<p class="plug" data-line>$line_state</p>
<form method="post" action="line/unplug?lang=$lang"><button data-plug="in"$hide_unplug>$unplug</button></form>
<form method="post" action="line/plug?lang=$lang"><button data-plug="out"$hide_plug>$plug</button></form>
</section>
</aside>
</main>
</body>
</html>
""")

PICTURE = Template("""<svg class="cabinet" viewBox="0 0 $width $height" role="group" aria-label="$picture">
<defs>
<linearGradient id="body" x2="0" y2="1"><stop class="body-1"/>
<stop class="body-2" offset="1"/></linearGradient>
<linearGradient id="steel" x2="1" y2="1"><stop class="steel-1"/><stop class="steel-2" offset=".45"/>
<stop class="steel-3" offset=".55"/><stop class="steel-4" offset="1"/></linearGradient>
<linearGradient id="leaf"><stop class="leaf-1"/><stop class="leaf-2" offset="1"/></linearGradient>
<linearGradient id="back" x2="0" y2="1"><stop class="back-1"/>
<stop class="back-2" offset="1"/></linearGradient>
<symbol id="passport" viewBox="0 0 46 62">
<path class="pages" d="M5 3h38v58H5z"/><rect class="cover" x="1" width="42" height="61" rx="3"/>
<path class="fold" d="M5 0v61"/>
<g class="gold"><path d="M14 10h18M18 14h10"/><circle cx="23" cy="29" r="8"/>
<path d="M23 24v10M18 29h10M20 26l6 6M26 26l-6 6M15 48h16M18 52h10"/></g>
</symbol>
</defs>
<rect class="shadow" x="8" y="$shadow" width="$shadow_width" height="16" rx="8"/>
<rect class="body" width="$width" height="$body_height" rx="10"/>
<rect class="sign" x="26" y="20" width="$sign_width" height="48" rx="5"/>
<text class="sign-text" x="48" y="52">$sign</text>
<circle class="lamp $lamp" data-lamp cx="$lamp_x" cy="44" r="7"/>
$cells
</svg>""")

CELL = Template("""<g class="cell $classes" data-number="$number" id="c$number" transform="translate($x $y)"
 role="group" tabindex="-1" aria-label="$label">
<g class="inside"><path class="hole" d="M4 4h144v86H4z"/><path class="back" d="M26 16h100v56H26z"/>
<path class="floor" d="M4 90l22-18h100l22 18z"/><path class="side" d="M148 4l-22 12v56l22 18z"/>
<ellipse class="item item-shadow" cx="105" cy="82" rx="30" ry="4"/>
<use class="item" href="#passport" x="80" y="13" width="50" height="68" transform="rotate(6 105 47)"/></g>
<g class="shut"><rect class="door" x="4" y="4" width="144" height="86" rx="3"/>
<path class="gleam" d="M6.500 88V6.500h139"/><rect class="plate" x="14" y="14" width="42" height="26" rx="3"/>
<text class="number" x="35" y="33">$number</text>
<circle class="lock" cx="132" cy="47" r="7"/><path class="key" d="M132 43v8"/></g>
<g class="ajar"><path class="leaf" d="M4 4L58 0v94L4 90z"/><path class="edge" d="M58 0l5 1.500v91L58 94z"/>
<rect class="plate" x="11" y="14" width="26" height="26" rx="3"/>
<text class="number" transform="translate(24 33) scale(.72 1)">$number</text>
<ellipse class="lock" cx="50" cy="47" rx="3.500" ry="7"/></g>
$buttons
</g>""")

BUTTON = Template("""<foreignObject x="$x" y="$y" width="$width" height="$height">
<form method="post" action="compartments/$number/$act?lang=$lang">
<button class="$act" aria-label="$label"$hidden><span>$word</span></button></form></foreignObject>""")

REACH: dict[Act, tuple[int, int, int, int]] = {
    "open": (4, 4, 144, 86),
    "close": (4, 2, 58, 90),
    "put": (64, 4, 84, 86),
    "take": (64, 4, 84, 86),
    "force": (10, 50, 92, 36),
}
"""Where on a cell each act is done: x, y, width, height."""


def possible_acts(compartment: Compartment) -> set[Act]:
    """What a person could do at this compartment now."""
    if not compartment.closed:
        return {"close", "take" if compartment.item else "put"}
    return {"force"} if compartment.latched else {"open"}


def draw_cabinet(cabinet: Cabinet, lang: Language) -> str:
    """The front of the cabinet as SVG, in which each possible act is a form with one button."""
    texts = TEXTS[lang]
    compartments = cabinet.compartments
    columns, _ = cabinet.place(len(compartments))
    width = 2 * FRAME_SIDE + columns * CELL_WIDTH
    body_height = FRAME_TOP + min(cabinet.rows, len(compartments)) * CELL_HEIGHT + FRAME_BOTTOM
    return PICTURE.substitute(
        width=width,
        height=body_height + 12,
        body_height=body_height,
        shadow=body_height - 6,
        shadow_width=width - 16,
        sign_width=width - 2 * FRAME_SIDE,
        lamp="in" if cabinet.plugged else "out",
        lamp_x=width - FRAME_SIDE - 24,
        sign=texts["sign"],
        picture=texts["picture"],
        cells="\n".join(_draw_cell(cabinet, compartment, lang) for compartment in compartments),
    )


def _draw_cell(cabinet: Cabinet, compartment: Compartment, lang: Language) -> str:
    texts = TEXTS[lang]
    column, row = cabinet.place(compartment.number)
    door = "ajar" if not compartment.closed else "shut" if compartment.latched else "loose"
    content = "full" if compartment.item else "bare"
    name = f"{texts['compartment']} {compartment.number}"
    return CELL.substitute(
        number=compartment.number,
        classes=f"is-{door} is-{content}",
        label=f"{name}: {texts[door]}, {texts[content]}",
        x=FRAME_SIDE + (column - 1) * CELL_WIDTH,
        y=FRAME_TOP + (row - 1) * CELL_HEIGHT,
        buttons="\n".join(_draw_button(compartment, act, lang) for act in REACH),
    )


def _draw_button(compartment: Compartment, act: Act, lang: Language) -> str:
    texts = TEXTS[lang]
    x, y, width, height = REACH[act]
    return BUTTON.substitute(
        number=compartment.number,
        act=act,
        lang=lang,
        label=f"{texts['compartment']} {compartment.number} {texts[act]}",
        word=texts[act],
        hidden="" if act in possible_acts(compartment) else " hidden",
        x=x,
        y=y,
        width=width,
        height=height,
    )


def draw_page(cabinet: Cabinet, lang: Language, *, refused: Refusal | None, version: str) -> str:
    """The whole page; ``version`` marks the static files, so that browsers may keep them for good."""
    compartments, texts = cabinet.compartments, TEXTS[lang]
    return PAGE.substitute(
        {name: escape(text) for name, text in texts.items()},
        lang=lang,
        other_lang="en" if lang == "de" else "de",
        version=version,
        words=" ".join(f'data-{name}="{escape(texts[name])}"' for name in WORDS_OF_SCRIPT),
        message=texts[refused] if refused else "",
        picture_svg=draw_cabinet(cabinet, lang),
        door_count=sum(not compartment.closed for compartment in compartments),
        item_count=sum(compartment.item for compartment in compartments),
        pulse_count=sum(compartment.pulses for compartment in compartments),
        fault_count=len(cabinet.faults),
        line_state=texts["plugged" if cabinet.plugged else "unplugged"],
        hide_unplug="" if cabinet.plugged else " hidden",
        hide_plug=" hidden" if cabinet.plugged else "",
    )
