"""Static files: no cookie, an ETag, a range, and nothing outside of the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Visit

FILE = "/static/web/base.css"


async def test_a_static_file_sets_no_cookie_and_is_not_sent_twice(visit: Visit) -> None:
    answer = await visit.get(FILE)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    assert "set-cookie" not in answer.headers
    again = await visit.get(FILE, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_file_with_its_digest_may_be_kept_for_ever(visit: Visit) -> None:
    page = (await visit.get("/t/alpha/")).text
    address = page[page.index("/static/web/base.css?v=") :].partition('"')[0]
    assert "immutable" in (await visit.get(address)).headers["cache-control"]
    assert "immutable" not in (await visit.get(FILE)).headers["cache-control"]


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("bytes=0-15", 0, 15), ("bytes=10-", 10, None), ("bytes=-5", -5, None)]
)
async def test_a_range(visit: Visit, asked: str, first: int, last: int | None) -> None:
    whole = (await visit.get(FILE)).content
    answer = await visit.get(FILE, headers={"range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[first : None if last is None else last + 1]
    assert answer.headers["content-range"].endswith(f"/{len(whole)}")


async def test_ranges_that_cannot_be_served(visit: Visit) -> None:
    whole = (await visit.get(FILE)).content
    assert (await visit.get(FILE, headers={"range": f"bytes={len(whole)}-"})).status_code == 416
    many = "9" * 5000
    others = ("bytes=0-1,3-4", "lines=0-1", "bytes=x-", "bytes=-", "bytes=\u00b2-", "bytes=--1", "bytes=+1-2")
    for other in (*others, f"bytes={many}-", f"bytes=-{many}", f"bytes=0-{many}"):
        answer = await visit.get(FILE, headers={"range": other.encode("latin-1")})
        assert (answer.status_code, answer.content) == (200, whole), other
    stale = await visit.get(FILE, headers={"range": "bytes=0-1", "if-range": '"other"'})
    assert stale.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/web/../plugin.py",
        "/static/web/..%2fplugin.py",
        "/static/web/%2e%2e/plugin.py",
        "/static/web//etc/passwd",
        "/static/web/%01",
        "/static/web/vendor",
        "/static/core/x",
        "/static/../../etc/passwd",
        "/static/web/" + "a" * 5000,
    ],
)
async def test_nothing_outside_of_the_folder(visit: Visit, path: str) -> None:
    assert (await visit.get(path)).status_code == 404


async def test_a_name_with_a_nul_is_malformed(visit: Visit) -> None:
    assert (await visit.get("/static/web/%00")).status_code == 400
