"""Long texts: plain, or HTML of a few tags. Pure.

A text that begins with `<` is HTML and holds nothing but the tags below; every other text is plain, with empty lines
between its paragraphs. Paragraphs without any markup are always kept as plain text, so that there is one way to write
each text.
"""

from __future__ import annotations

import re
from html import escape, unescape
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import nh3

TAGS = {"p", "br", "ul", "ol", "li", "strong", "em", "a", "h3", "h4", "h5"}
SCHEMES = {"https", "http", "mailto", "tel"}
_MAIL_OR_CALL = re.compile(r"(?:mailto|tel):[^\s/][^\s]*\Z", re.IGNORECASE)
_WITHOUT_TARGET = re.compile(r"<a>(.*?)</a>", re.DOTALL)
MOST_PASSES = 5
_DROPPED = {"script", "style", "iframe", "object", "embed", "svg", "math", "template", "noscript"}
#: What means the same and has another name here; nh3 would drop the tag and keep its words.
_RENAMED = {"b": "strong", "i": "em", "h1": "h3", "h2": "h3", "h6": "h5"}
_RENAMED |= dict.fromkeys(("div", "section", "article", "blockquote", "td", "th", "dt", "dd", "pre"), "p")
_OPENING = re.compile(rf"<(/?)({'|'.join(_RENAMED)})(?=[\s>/])", re.IGNORECASE)
_ONLY_PARAGRAPHS = re.compile(r"(?:<p>(?:[^<>]|<br>)*</p>\s*)*\Z")
_PARAGRAPH = re.compile(r"<p>((?:[^<>]|<br>)*)</p>")
_BREAK = re.compile(r"\s*<br>\s*")
_BLOCK_END = re.compile(r"</(?:p|li|h[345])>|<br>")
_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s+")
#: Letters that no text has: control characters but tabs and ends of lines, marks of an order, halves of letters. A
#: reference such as `&#8;` brings them in.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_NO_WIDTH = "\u200b"
_EMPTY = re.compile(r"<(p|li|ul|ol|strong|em|h3|h4|h5)>\s*</\1>")


def is_html(text: str) -> bool:
    return text.startswith("<")


def is_address(url: str) -> bool:
    """Whether people may be sent there: an absolute web address, without the name of a user before its host.

    What stands there reads like a host, and leads to another one.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_host = bool(parts.hostname) and not set(parts.netloc) & set("@\\")
    return parts.scheme in ("https", "http") and is_host and url.isprintable() and " " not in url


def _target(_tag: str, _attribute: str, value: str) -> str | None:
    """What a link leads to, as it is kept; None for what nobody is sent to."""
    said = value.strip().replace(" ", "%20")
    return said if is_address(said) or _MAIL_OR_CALL.match(said) else None


def clean(markup: str) -> str:
    """HTML from outside as a long text: what is not allowed is gone, scripts and styles with all that is in them."""
    made = _allowed(_OPENING.sub(lambda found: f"<{found[1]}{_RENAMED[found[2].lower()]}", markup))
    for _ in range(MOST_PASSES):
        # What stands in no block is a paragraph; closing one may open another, therefore again until nothing changes.
        before, made = made, _allowed(made if is_html(made) else f"<p>{made}</p>")
        if made == before:
            break
    if _ONLY_PARAGRAPHS.match(made):
        paragraphs = (unescape(_BREAK.sub("\n", found)).strip() for found in _PARAGRAPH.findall(made))
        said = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
        return made if is_html(said) else said
    return made


def _allowed(markup: str) -> str:
    made = nh3.clean(
        markup,
        tags=TAGS,
        clean_content_tags=_DROPPED,
        attributes={"a": {"href"}},
        attribute_filter=_target,
        url_schemes=SCHEMES,
        link_rel=None,
        strip_comments=True,
    )
    # A link that leads nowhere keeps its words.
    made = _WITHOUT_TARGET.sub(r"\1", made)
    made = _SPACE.sub(" ", CONTROL.sub("", made).replace(_NO_WIDTH, "").replace("&nbsp;", " ")).strip()
    while (shorter := _EMPTY.sub("", made)) != made:
        made = shorter.strip()
    return made


def markup(text: str) -> str:
    """A long text as HTML that may stand in a page."""
    if is_html(text):
        return text
    paragraphs = (paragraph.strip() for paragraph in re.split(r"\n\s*\n", text))
    escaped = (escape(paragraph, quote=False).replace("\n", "<br>") for paragraph in paragraphs if paragraph)
    return "".join(f"<p>{paragraph}</p>" for paragraph in escaped)


def plain(text: str) -> str:
    """A long text without its tags, for search, speech and small printers; each block on a line of its own."""
    if not is_html(text):
        return text
    lines = (_SPACE.sub(" ", unescape(_TAG.sub("", line))).strip() for line in _BLOCK_END.sub("\n", text).split("\n"))
    return "\n".join(line for line in lines if line)


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A paragraph, heading or list item as plain text. `depth` 1 is an outermost list; `number` counts in an `ol`."""

    kind: Literal["paragraph", "heading", "item"]
    text: str
    depth: int = 0
    number: int | None = None


def blocks(text: str) -> list[Block]:
    """A long text for what prints without HTML. The address of a link stands in brackets behind its words."""
    if is_html(text):
        reader = _Blocks()
        reader.feed(text)
        reader.close()
        reader.end_block()
        return reader.blocks
    return [
        Block(kind="paragraph", text=paragraph.strip()) for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()
    ]


class _Blocks(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._kind: Literal["paragraph", "heading", "item"] = "paragraph"
        self._lists: list[int | None] = []
        self._words: list[str] = []
        self._link: tuple[str, int] | None = None
        self._fresh = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._words.append("\n")
        elif tag == "a":
            self._link = (dict(attrs).get("href") or "", len(self._words))
        elif tag in ("ul", "ol"):
            self.end_block()
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self.end_block()
            self._kind, self._fresh = "item", True
        elif tag == "p":
            # The first paragraph of an item is the item; what follows stands below it.
            if not self._fresh:
                self.end_block()
        elif tag in ("h3", "h4", "h5"):
            self.end_block()
            self._kind = "heading"

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            (address, start), self._link = self._link, None
            shown = re.sub(r"^(?:https?://|mailto:|tel:)", "", address).rstrip("/")
            if shown and shown not in "".join(self._words[start:]):
                self._words.append(f" ({shown})")
        elif tag in ("p", "li", "h3", "h4", "h5"):
            self.end_block()
        elif tag in ("ul", "ol"):
            self.end_block()
            if self._lists:
                self._lists.pop()

    def handle_data(self, data: str) -> None:
        self._words.append(_SPACE.sub(" ", data))

    def end_block(self) -> None:
        lines = ("".join(self._words)).split("\n")
        text = "\n".join(_SPACE.sub(" ", line).strip() for line in lines).strip()
        self._words = []
        if not text:
            return
        number = None
        if self._kind == "item" and self._fresh and self._lists and self._lists[-1] is not None:
            number, self._lists[-1] = self._lists[-1], self._lists[-1] + 1
        self.blocks.append(Block(kind=self._kind, text=text, depth=len(self._lists), number=number))
        self._kind, self._fresh = "paragraph", False
