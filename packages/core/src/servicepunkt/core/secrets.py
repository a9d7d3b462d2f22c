"""Secrets by reference: settings and tenant files say where a secret is (`env:NAME`, `file:PATH`), never the secret."""

from __future__ import annotations

import os
import re
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


# The name has no double underscore of its own, so that the last one ends the slug: no tenant's prefix is the
# beginning of another's.
OWN_NAME = re.compile(r"^[A-Z0-9]+(?:_[A-Z0-9]+)*\Z")
OWN_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


def tenant_prefix(slug: str) -> str:
    """What the names of a tenant's environment variables begin with: TENANT_ALPHA__ for alpha."""
    return f"TENANT_{slug.upper().replace('-', '_')}__"


def tenant_secret(reference: str, *, slug: str, home: Path) -> str:
    """The deployment's reference for one that stands in a tenant file, which reaches only that tenant's own secrets.

    `env:TENANT_<SLUG>__NAME`, or `file:NAME` in the folder `secrets/<slug>` below `home`. Raises SecretError.
    """
    scheme, _, name = reference.partition(":")
    prefix = tenant_prefix(slug)
    if scheme == "env" and name.startswith(prefix) and OWN_NAME.match(name.removeprefix(prefix)):
        return reference
    if scheme == "file" and OWN_FILE.match(name):
        return f"file:{home / 'secrets' / slug / name}"
    raise SecretError(f"a secret of this tenant is written as env:{prefix}NAME or file:NAME")
