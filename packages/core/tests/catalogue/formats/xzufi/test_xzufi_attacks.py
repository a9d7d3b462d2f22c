"""Files that are meant to harm whoever reads XZuFi, and files that are only broken: a SourceError with a place."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicepunkt.core.catalogue.formats import xzufi
from servicepunkt.core.catalogue.formats.model import Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.formats.xzufi import reader, source
from servicepunkt.core.catalogue.formats.xzufi.names import NAMESPACES

NS = NAMESPACES["2.2.0"]
HEAD = f'<x:t xmlns:x="{NS}" xzufiVersion="2.2.0">'
SERVICE = (
    '<x:schreibe><x:leistung><x:id schemeAgencyID="L1">1</x:id><x:modulText><x:leikaTextmodul><code>02</code>'
    '</x:leikaTextmodul><x:inhalt languageCode="de">{}</x:inhalt></x:modulText></x:leistung></x:schreibe>'
)


def whole(said: str, before: str = "", head: str = HEAD) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>{before}{head}{SERVICE.format(said)}</x:t>'.encode()


def bomb(levels: int) -> str:
    lines = ['<!ENTITY a0 "ha">', *(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels))]
    return f"<!DOCTYPE x:t [{''.join(lines)}]>"


SECRET = "this must never be read"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


def test_a_whole_file_is_read(read_xzufi: Any) -> None:
    """What the attacks below are made of is good by itself."""
    assert [type(one) for one in read_xzufi(whole("Ausweis"))] == [Upsert]


def test_an_external_entity_reads_no_file(read_xzufi: Any, secret: Path) -> None:
    attack = whole("&e;", f'<!DOCTYPE x:t [<!ENTITY e SYSTEM "{secret.as_uri()}">]>')
    with pytest.raises(SourceError, match="document type declaration") as caught:
        read_xzufi(attack)
    assert SECRET not in str(caught.value)


def test_an_external_parameter_entity_is_refused(read_xzufi: Any, secret: Path) -> None:
    with pytest.raises(SourceError, match="document type declaration"):
        read_xzufi(whole("a", f'<!DOCTYPE x:t [<!ENTITY % e SYSTEM "{secret.as_uri()}"> %e;]>'))


@pytest.mark.parametrize(
    "before",
    [
        bomb(10),
        f'<!DOCTYPE x:t [<!ENTITY a "{"a" * 100_000}">]>',
        "<!DOCTYPE x:t>",
        '<!DOCTYPE x:t SYSTEM "https://example.org/x.dtd">',
        '<!DOCTYPE x:t [<!ATTLIST x:t xzufiVersion CDATA "2.2.0">]>',
    ],
    ids=["billion laughs", "quadratic", "empty", "external", "attribute defaults"],
)
def test_no_document_type_is_read(before: str, read_xzufi: Any) -> None:
    said = "&a;" * 10_000 if "quadratic" in before or '"aaa' in before else "&a9;" if "a9" in before else "a"
    tracemalloc.start()
    with pytest.raises(SourceError):
        read_xzufi(whole(said, before))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_document_type_without_an_end_is_not_kept(read_xzufi: Any) -> None:
    """What stands before the root is bounded too."""
    with pytest.raises(SourceError, match="no root element in the first"):
        read_xzufi(b"<?xml version='1.0'?><!DOCTYPE t [" + b"<!ENTITY a 'b'>" * 200_000)
    with pytest.raises(SourceError, match="no root element in the first"):
        read_xzufi(b"<!--" + b" " * 2_000_000 + b"-->" + whole("a"))


def test_an_entity_that_nobody_declared_is_refused(read_xzufi: Any) -> None:
    with pytest.raises(SourceError, match="line 1: Entity 'nbsp' not defined"):
        read_xzufi(whole("&nbsp;"))


def test_depth_is_bounded(read_xzufi: Any) -> None:
    with pytest.raises(SourceError, match=r"(?i)depth"):
        read_xzufi(whole("<x:a>" * 100_000 + "</x:a>" * 100_000))


def test_a_text_is_bounded(read_xzufi: Any) -> None:
    with pytest.raises(SourceError):
        read_xzufi(whole("a" * 11_000_000))


def test_a_record_is_bounded(read_xzufi: Any) -> None:
    with pytest.raises(SourceError, match=f"more than {source.MAX_RECORD} bytes"):
        read_xzufi(whole("<x:a/>" * 3_000_000))


def test_records_and_bytes_are_bounded(read_xzufi: Any) -> None:
    body = "\n".join([SERVICE.format("a")] * 11)
    content = f"{HEAD}\n{body}</x:t>".encode()
    with pytest.raises(SourceError, match="line 12: more than 10 records"):
        read_xzufi(content, records=10)
    with pytest.raises(SourceError, match="more than 1000 bytes"):
        read_xzufi(content, bytes=1000)
    assert len(read_xzufi(content, records=11)) == 11


def test_online_services_are_bounded(read_xzufi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_ONLINE", 2)
    one = (
        '<x:schreibe><x:onlinedienst><x:id schemeAgencyID="L1">{}</x:id>'
        "<x:link>https://example.org</x:link></x:onlinedienst></x:schreibe>"
    )
    with pytest.raises(SourceError, match="more than 2 online services"):
        read_xzufi(f"{HEAD}{''.join(one.format(number) for number in range(3))}</x:t>".encode())


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(part: float, read_xzufi: Any, samples: Path) -> None:
    content = (samples / "xzufi_2_2_0.xml").read_bytes()
    with pytest.raises(SourceError, match=r"line \d+"):
        read_xzufi(content[: int(len(content) * part)])


def test_an_empty_file_is_refused(read_xzufi: Any) -> None:
    for content in (b"", b"   ", b"\x00" * 100, b"{}", b"PK\x03\x04" + b"\x00" * 100):
        with pytest.raises(SourceError):
            read_xzufi(content)


def test_an_encoding_that_is_not_the_one_that_is_said_is_refused(read_xzufi: Any) -> None:
    with pytest.raises(SourceError):
        read_xzufi(whole("Führungszeugnis").decode().encode("latin-1"))


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252"])
def test_other_encodings_are_read_when_they_are_said(encoding: str, read_xzufi: Any) -> None:
    content = whole("Führungszeugnis").decode().replace("UTF-8", encoding).encode(encoding)
    assert read_xzufi(content)[0].record["name"] == {"de": "Führungszeugnis"}


def test_strange_encodings_are_not_read(read_xzufi: Any) -> None:
    for content in (whole("a").replace(b"UTF-8", b"UTF-7"), whole("a").decode().encode("cp037")):
        with pytest.raises(SourceError, match="an encoding that is read"):
            read_xzufi(content)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("<t>", "no message of XZuFi"),
        ('<x:t xmlns:x="https://example.org">', "no message of XZuFi"),
        (f'<x:t xmlns:x="{NS}" xzufiVersion="3.0">', "XZuFi '3.0' is not read"),
        (f'<x:t xmlns:x="{NS}" xzufiVersion="2.1.0">', "XZuFi '2.1.0' is not read"),
        ('<x:t xmlns:x="http://xoev.de/schemata/xzufi/2_1_0">', "no version of XZuFi that is read"),
    ],
)
def test_unknown_roots_and_versions_are_refused(head: str, reason: str, read_xzufi: Any) -> None:
    closing = "</t>" if head == "<t>" else "</x:t>"
    with pytest.raises(SourceError, match=reason):
        read_xzufi(f"{head}{closing}".encode())


def test_a_record_within_a_record_is_no_record(read_xzufi: Any) -> None:
    nested = f"{HEAD}<x:kopf>{SERVICE.format('a')}</x:kopf></x:t>".encode()
    assert read_xzufi(nested) == []


class Repeated(io.RawIOBase):
    """A message that has a record very often, made while it is read."""

    def __init__(self, record: bytes, times: int) -> None:
        self._record, self._times = record, times
        self.seek(0)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, _offset: int, _whence: int = 0) -> int:
        self._buffer, self._left, self._is_closed = HEAD.encode(), self._times, False
        return 0

    def read(self, size: int = -1) -> bytes:
        while len(self._buffer) < size and self._left:
            self._buffer += self._record
            self._left -= 1
        if not self._left and not self._is_closed:
            self._buffer, self._is_closed = self._buffer + b"</x:t>", True
        said, self._buffer = self._buffer[:size], self._buffer[size:]
        return said


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_memory_does_not_grow_with_the_file() -> None:
    """Neither with records nor with what stands between them; the tree of all of it would take some 200 MB."""
    between = f"<x:kopf>b</x:kopf><?other thing?><!--{'c' * 100}--><?servicepunkt {{}}?>{'<x:kopf/>' * 500}"
    record = (SERVICE.format("a" * 100) + between).encode()
    before, most, count = resident(), 0, 0
    for _ in xzufi.read({"xzufi": Repeated(record, 3_000)}, Limits()):
        count += 1
        if count % 500 == 0:
            most = max(most, resident())
    assert count == 6_000
    assert most - before < 30_000_000


MUTATED = sorted((Path(__file__).parent / "samples").iterdir())


@pytest.mark.parametrize("sample", MUTATED, ids=lambda path: path.stem)
def test_mutated_files_never_do_more_than_to_be_refused(sample: Path, read_xzufi: Any) -> None:
    """Bytes changed, taken out, put in and doubled."""
    content = sample.read_bytes()
    for seed in range(300):
        chance = random.Random(seed)
        broken = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            at, length = chance.randrange(len(broken)), chance.randint(0, 40)
            piece = bytes(chance.randrange(256) for _ in range(chance.randint(0, 3)))
            broken[at : at + length] = chance.choice([b"", piece, b"<", b"&", bytes(broken[at : at + length]) * 2])
        try:
            changes = read_xzufi(bytes(broken))
        except SourceError:
            continue
        assert all(one.place.startswith("line ") for one in changes)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_an_instruction_of_anybody_is_refused_or_fits(read_xzufi: Any, content: Any) -> None:
    said = json.dumps({"kind": "services", "record": content}).replace(">", "\\u003e")
    changes = read_xzufi(f"{HEAD}{SERVICE.format('a')[:-13]}<?servicepunkt {said}?></x:schreibe></x:t>".encode())
    assert len(changes) == 1
    assert isinstance(changes[0], Upsert | Refused)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"kind":"services","record":{"secret":1}}', "unknown field"),
        ('{"kind":"services","record":{"summary":{"de":"<p onclick=x>a</p>"}}}', "something that is not shown"),
        ('{"kind":"services","record":{"documents":[{"text":{"de":"<script>"}}]}}', "something that is not shown"),
        ('{"kind":"services","record":{"links":[{"kind":"page","url":"javascript:a"}]}}', "an address begins"),
        ('{"kind":"services","record":{"name":{"de":"<b>a</b>"}}}', "a name is plain text"),
        ('{"kind":"partners","record":{}}', "is no rest of services"),
        ('{"kind":"services"}', "missing required field"),
        ("[" * 100_000, "instruction: "),
        ("no json", "instruction: "),
    ],
)
def test_nothing_in_an_instruction_is_believed(said: str, reason: str, read_xzufi: Any) -> None:
    closing = "</x:schreibe>"
    content = f"{HEAD}{SERVICE.format('a').removesuffix(closing)}<?servicepunkt {said}?>{closing}</x:t>".encode()
    [refused] = read_xzufi(content)
    assert isinstance(refused, Refused)
    assert reason in refused.reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"kind":"themes","record":{"id":"a","name":{}}}', "an entry has an id"),
        ('{"kind":"themes","id":"b","record":{"id":"a","name":{}}}', "has another id"),
        ('{"kind":"themes","id":"a","record":{"id":"a"}}', "missing required field"),
        ('{"kind":"themes","id":"a","record":{"id":"a","name":{"de":"<script>a</script>"}}}', "not shown"),
        ('{"kind":"grants","id":"a","record":{}}', "instruction: "),
    ],
)
def test_an_entry_in_an_instruction_is_looked_at(said: str, reason: str, read_xzufi: Any) -> None:
    [refused] = read_xzufi(f"{HEAD}<?servicepunkt {said}?></x:t>".encode())
    assert isinstance(refused, Refused)
    assert reason in refused.reason


def test_instructions_of_others_are_nothing_to_us(read_xzufi: Any) -> None:
    content = whole("a").replace(b"</x:schreibe>", b"<?php echo 1 ?></x:schreibe><?xml-stylesheet href='a'?>")
    assert [type(one) for one in read_xzufi(content)] == [Upsert]
