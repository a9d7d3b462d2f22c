"""Static files of all plugins: from memory, with an ETag, a range, and never a cookie."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.errors import NotFoundError
from servicepunkt.web.frame import Frame
from servicepunkt.web.tenancy import TENANT_KEY

FOR_EVER = "public, max-age=31536000, immutable"
FOR_A_WHILE = "public, max-age=300"
MAX_FILE = 8 * 1024 * 1024
# One range of bytes; a number with more digits than any file's size has asks for no range.
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@lru_cache(maxsize=512)
def _read(path: Path, changed: int) -> tuple[bytes, str]:
    """(content, ETag); `changed` is the file's modification time, so that an edited file is read again."""
    del changed
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


@get(
    "/static/{plugin:str}/{name:path}",
    opt={"public": True, "exclude_from_csrf": True},
    sync_to_thread=False,
    include_in_schema=False,
)
def static_file(
    request: Request[Any, Any, Any],
    plugin: FromPath[str],
    name: FromPath[str],
    v: Annotated[str | None, QueryParameter(max_length=64)] = None,
) -> Response[bytes]:
    """A file of a plugin's static folder. Raises NotFoundError for anything outside of it, and where it is off."""
    frame: Frame = request.app.state["frame"]
    frame.gate(request.scope.get(TENANT_KEY), plugin)
    folder = frame.static_folders.get(plugin)
    path = _inside(folder, name) if folder else None
    if path is None or path.stat().st_size > MAX_FILE:
        raise NotFoundError
    content, etag = _read(path, path.stat().st_mtime_ns)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"etag": etag, "cache-control": FOR_EVER if v else FOR_A_WHILE, "accept-ranges": "bytes"}
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers=headers, media_type=kind)
    return ranged(request, content, headers=headers, kind=kind)


def _inside(folder: Path, name: str) -> Path | None:
    """The file of this name, if it lies in the folder; what the file system cannot even name is not there."""
    try:
        path = (folder / name.lstrip("/")).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        return None


def ranged(request: Request[Any, Any, Any], content: bytes, *, headers: dict[str, str], kind: str) -> Response[bytes]:
    """The whole file, or the one range that was asked for (RFC 9110 §14)."""
    wanted = RANGE.fullmatch(request.headers.get("range", ""))
    changed = request.headers.get("if-range", headers["etag"]) != headers["etag"]
    if wanted is None or changed or not any(wanted.groups()):
        return Response(content, headers=headers, media_type=kind)
    first_text, last_text = wanted.groups()
    size = len(content)
    first = int(first_text) if first_text else max(0, size - int(last_text))
    last = min(int(last_text), size - 1) if first_text and last_text else size - 1
    if first > last or first >= size:
        return Response(b"", status_code=416, headers={**headers, "content-range": f"bytes */{size}"}, media_type=kind)
    return Response(
        content[first : last + 1],
        status_code=206,
        headers={**headers, "content-range": f"bytes {first}-{last}/{size}"},
        media_type=kind,
    )
