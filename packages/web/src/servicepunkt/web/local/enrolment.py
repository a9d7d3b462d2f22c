"""A computer at a point becomes a device of the centre: a one-time code for a token, which it keeps."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import httpx
import msgspec
import structlog

from servicepunkt.core.errors import SettingsError

log = structlog.get_logger("servicepunkt.web")
MAX_ANSWER = 64 * 1024


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """`home`: the folder that keeps the token. `code`: the one-time code, empty where none was given. `url`: of the
    device's own pages. `public_key`: for kinds of devices that have one."""

    home: Path
    centre: str
    kind: str
    code: str = ""
    url: str = ""
    public_key: bytes = b""


class _Enrolled(msgspec.Struct, frozen=True):
    token: str


async def enrolled_token(device: Enrolment) -> str:
    """The device token from disk, or a new one for a one-time code that was not used here yet. Raises SettingsError."""
    path, used = device.home / "token", device.home / "enrolled-with"
    digest = hashlib.sha256(device.code.encode()).digest() if device.code else b""
    known = path.read_text() if path.exists() else ""
    if known and (not device.code or (used.exists() and used.read_bytes() == digest)):
        return known
    if not device.code:
        raise SettingsError(
            f"this {device.kind} is not enrolled: create a one-time code on the devices page and pass --enrol CODE"
        )
    token, refused = await _asked(device)
    if refused:
        if known:  # a code that was used long ago still stands in the command line, or the centre is away
            log.warning("not_enrolled_again", reason=refused)
            return known
        raise SettingsError(refused)
    # The code after the token: whoever starts it again with the same command line uses the token that it has.
    _keep(path, token.encode())
    _keep(used, digest)
    return token


async def _asked(device: Enrolment) -> tuple[str, str]:
    """(token, why it was refused): one of them is empty."""
    key = {"public_key": device.public_key.hex()} if device.public_key else {}
    body = {"code": device.code, "kind": device.kind, **key, "info": {"url": device.url}}
    try:
        async with httpx.AsyncClient(base_url=device.centre, timeout=10) as client:
            answer = await client.post("/api/v1/devices/enrol", json=body)
        if answer.status_code not in (200, 201):
            return "", f"the centre refused the one-time code ({answer.status_code})"
        return msgspec.json.decode(answer.content[:MAX_ANSWER], type=_Enrolled).token, ""
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        return "", f"the centre does not answer ({type(error).__name__})"


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all, and for nobody else to read."""
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
