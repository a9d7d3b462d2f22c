"""Files in the formats of catalogues, and what became of them."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicepunkt.core.catalogue.formats import xzufi
from servicepunkt.core.catalogue.formats.model import Change, Limits, Upsert
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.records import ENTRIES

ReadXzufi = Callable[..., list[Change]]
Collect = Callable[[Iterable[Change]], Catalogue]


@pytest.fixture
def read_xzufi() -> ReadXzufi:
    """All changes of a message; `limits` where they matter."""

    def read(content: bytes, **limits: int) -> list[Change]:
        return list(xzufi.read({"xzufi": io.BytesIO(content)}, Limits(**limits)))

    return read


@pytest.fixture
def collected() -> Collect:
    """The catalogue of changes that are all entries."""

    def collect(changes: Iterable[Change]) -> Catalogue:
        found: dict[str, list[msgspec.Struct]] = defaultdict(list)
        for change in changes:
            assert isinstance(change, Upsert), change
            found[change.kind].append(msgspec.convert(change.record, ENTRIES[change.kind]))
        parts: dict[str, Any] = {kind: tuple(entries) for kind, entries in found.items()}
        return Catalogue(**parts)

    return collect


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parent / "samples"
