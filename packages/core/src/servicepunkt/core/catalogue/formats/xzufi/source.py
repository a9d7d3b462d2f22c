"""A file of XZuFi as a stream of its records, with bounded memory; nothing that a file may do to a reader is allowed.

No document type (and so no entity), no network, no depth beyond 256 and no text beyond 10 MB (libxml2 without
`huge_tree`), no repair of broken XML, not more bytes and records than the limits say. See reference/catalogue.md §6.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal, NamedTuple, Protocol

from lxml import etree

from servicepunkt.core.catalogue.formats.model import Counted, Limits, SourceError
from servicepunkt.core.catalogue.formats.xzufi.elements import local
from servicepunkt.core.catalogue.formats.xzufi.names import (
    DELETE,
    FAMILIES,
    INSTRUCTION,
    NAMESPACES,
    VERSIONS,
    WRITE,
)

CHUNK = 64 * 1024
HEAD_CHUNK = 1024
MAX_HEAD = 1024 * 1024  # bytes before the root element
MAX_RECORD = 8 * 1024 * 1024  # bytes of one record
MAX_ELEMENTS = 100_000  # of one record
MAX_ATTRIBUTES = 32  # of one element
ENCODINGS = frozenset(
    ("utf-8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "iso-8859-15", "windows-1252")
)
_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_UNWIELDY = etree.XPath(
    f"count(descendant::*) > {MAX_ELEMENTS} or boolean(descendant-or-self::*/@*[{MAX_ATTRIBUTES + 1}])"
)


class Entry(NamedTuple):
    """A `schreibe`, a `loesche` or an instruction of ours between them. Valid until the next one is asked for.

    `within`: where its message stands, for places, when there are several.
    """

    action: Literal["write", "delete", "instruction"]
    element: etree._Element
    is_unwieldy: bool = False
    within: str = ""

    def place(self, element: etree._Element | None = None) -> str:
        """Where it stands, or an element in it."""
        return f"{self.within}line {(self.element if element is None else element).sourceline}"


class Messages(Protocol):
    """One message, or several of which each goes on from the one before."""

    def mentions(self, word: str) -> bool:
        """Whether a word may stand in them, without parsing them. Raises SourceError when they are too large."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Their records in their order, as often as they are asked for. Raises SourceError where it cannot go on."""
        ...


class Source:
    """A file that can be read from its beginning as often as needed."""

    def __init__(self, file: BinaryIO, start: int, limits: Limits) -> None:
        self._file, self._start, self._limits = file, start, limits
        self._namespace = ""

    def mentions(self, word: str) -> bool:
        """Whether a word may stand in the file, without parsing it. Raises SourceError when it is too large."""
        wanted, before, file = word.encode("ascii"), b"", self._rewound()
        while chunk := file.read(CHUNK):
            if wanted in before + chunk or b"\x00" in chunk:  # two bytes a letter
                return True
            before = chunk[-len(wanted) :]
        return False

    def entries(self) -> Iterator[Entry]:
        """Its records in their order. Raises SourceError where it cannot be read on."""
        self._namespace = self._namespace or _namespace(self._rewound())
        tags = [f"{{{self._namespace}}}{name}" for name in (WRITE, DELETE)]
        parser = _parser(("end", "pi"), tags)
        file, since, number = self._rewound(), 0, 0
        try:
            while True:
                chunk = file.read(CHUNK)
                _feed(parser, chunk)
                since += len(chunk)
                for event, element in parser.read_events():
                    if not isinstance(element, etree._Element) or not _is_top(element):
                        continue
                    number += 1
                    if number > self._limits.records:
                        raise SourceError(f"line {element.sourceline}: more than {self._limits.records} records")
                    if (entry := _entry(event, element)) is not None:
                        yield entry
                    _forget(element, whole=event == "end")
                    since = 0
                if since > MAX_RECORD:
                    raise SourceError(f"a record has more than {MAX_RECORD} bytes")
                if not chunk:
                    return
        except etree.XMLSyntaxError as error:
            raise _broken(error) from error

    def _rewound(self) -> Counted:
        self._file.seek(self._start)
        return Counted(self._file, self._limits.bytes)


@contextmanager
def rewindable(file: BinaryIO, limits: Limits) -> Iterator[Source]:
    """The file itself when it can be read twice, else a copy of it for as long as it is needed."""
    if file.seekable():
        yield Source(file, file.tell(), limits)
        return
    with tempfile.TemporaryFile() as copy:
        counted = Counted(file, limits.bytes)
        while chunk := counted.read(CHUNK):
            copy.write(chunk)
        yield Source(copy, 0, limits)


def _parser(events: tuple[Literal["start", "end", "pi"], ...], tags: list[str] | None = None) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=events,
        tag=tags,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
    )


def _feed(parser: etree.XMLPullParser, chunk: bytes) -> None:
    """The next bytes, or none at the end. Raises XMLSyntaxError, and SourceError for what lxml only notes."""
    if chunk:
        parser.feed(chunk)
    for found in parser.feed_error_log:
        if found.level == etree.ErrorLevels.FATAL:
            raise SourceError(f"line {found.line}: {found.message}")
    if not chunk:
        parser.close()


def _check_encoding(beginning: bytes) -> None:
    """Only encodings that are in use: others hide what a file says from whoever looks at its bytes."""
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    beginning = beginning.removeprefix(b"\xef\xbb\xbf")
    declared = _DECLARED.match(beginning)
    named = declared[1].decode() if declared else "utf-8"
    if named.casefold() not in ENCODINGS or not beginning.lstrip().startswith(b"<"):
        raise SourceError(f"line 1: this is no XML in an encoding that is read ({named!r})")


def _namespace(file: Counted) -> str:
    """The namespace of a message of a version that is known. Raises SourceError."""
    parser, read = _parser(("start",)), 0
    try:
        while chunk := file.read(HEAD_CHUNK):
            if not read:
                _check_encoding(chunk)
            _feed(parser, chunk)
            read += len(chunk)
            for _, root in parser.read_events():
                if isinstance(root, etree._Element):
                    return _checked(root)
            if read > MAX_HEAD:
                break
        else:
            _feed(parser, b"")
    except etree.XMLSyntaxError as error:
        raise _broken(error) from error
    raise SourceError(f"there is no root element in the first {MAX_HEAD} bytes")


def _checked(root: etree._Element) -> str:
    told = root.getroottree().docinfo
    if told.internalDTD is not None or told.externalDTD is not None:
        raise SourceError("line 1: a document type declaration is not allowed")
    namespace = root.tag[1:].partition("}")[0] if isinstance(root.tag, str) and root.tag.startswith("{") else ""
    version = (root.get("xzufiVersion") or "").strip()
    place = f"line {root.sourceline}"
    if not namespace.startswith(FAMILIES):
        raise SourceError(f"{place}: {local(root)[:80]!r} is no message of XZuFi")
    if version and version not in VERSIONS:
        raise SourceError(f"{place}: XZuFi {version[:20]!r} is not read, but {', '.join(sorted(VERSIONS))}")
    if not version and namespace not in NAMESPACES.values():
        raise SourceError(f"{place}: {namespace[:80]!r} is no version of XZuFi that is read")
    return namespace


def _is_top(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not None and parent.getparent() is None


def _entry(event: str, element: etree._Element) -> Entry | None:
    if event == "pi":
        is_ours = isinstance(element, etree._ProcessingInstruction) and element.target == INSTRUCTION
        return Entry("instruction", element) if is_ours else None
    return Entry("write" if local(element) == WRITE else "delete", element, bool(_UNWIELDY(element)))


def _forget(element: etree._Element, *, whole: bool) -> None:
    """Give back the memory of what was read: what stands before an element, and what stands in it."""
    if whole:
        element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _broken(error: etree.XMLSyntaxError) -> SourceError:
    line, _ = error.position
    return SourceError(f"line {line}: {error.msg}")
