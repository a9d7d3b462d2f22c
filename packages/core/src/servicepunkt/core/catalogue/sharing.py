"""Texts that many towns have in common are held in memory once: of the federation's text each has a copy in its own
revision."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from servicepunkt.core.catalogue.model import Catalogue

LEAST = 40  # letters from which on it pays


def share_texts(catalogue: Catalogue) -> None:
    """Let equal texts of services be one object, also those of catalogues that were read before.

    An interned text is forgotten with the last catalogue that has it.
    """
    for service in catalogue.services:
        _share(service)


def _share(entry: msgspec.Struct) -> None:
    for name in entry.__struct_fields__:
        value: Any = getattr(entry, name)
        if type(value) is dict:
            for key, said in value.items():
                if type(said) is str and len(said) >= LEAST:
                    value[key] = sys.intern(said)
        elif type(value) is tuple:
            for one in value:
                if isinstance(one, msgspec.Struct):
                    _share(one)
        elif isinstance(value, msgspec.Struct):
            _share(value)
