"""Secrets by reference: settings and tenant files say where a secret is (`env:NAME`, `file:PATH`), never the secret."""

from __future__ import annotations

import os
from pathlib import Path

from servicepunkt.core.errors import SecretError

MAX_SECRET_BYTES = 65536


def read_secret(reference: str) -> bytes:
    """The bytes behind `env:NAME` or `file:PATH` (a trailing newline is dropped). Raises SecretError."""
    scheme, _, place = reference.partition(":")
    if scheme == "env" and place:
        value = os.environ.get(place)
        if value is None:
            raise SecretError(f"environment variable {place} is not set")
        return value.encode()
    if scheme == "file" and place:
        try:
            content = Path(place).read_bytes()
        except OSError as error:
            raise SecretError(f"secret file {place}: {error.strerror}") from error
        if len(content) > MAX_SECRET_BYTES:
            raise SecretError(f"secret file {place} is larger than {MAX_SECRET_BYTES} bytes")
        return content.removesuffix(b"\n")
    raise SecretError("a secret is written as env:NAME or file:PATH")
