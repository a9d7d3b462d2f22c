"""A file is put into force while people look: no request fails, and what they see is the old or the new."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

from litestar.testing import AsyncTestClient

from servicepunkt.core.deployment import Deployment
from servicepunkt.tenants import areas, service, starting
from servicepunkt.web.app import create_app

ROUNDS = 6
TOWN = areas.municipalities()["09473159"]
NAME = re.compile(r"Haus (\d+)")
TENANT_NAME = re.compile(r'^name = "(?:Stadt|Gemeinde) [^"]*"', re.MULTILINE)
THEME_NAME = re.compile(r'^name\.de = "(?:Wohnen|Haus)[^"]*"', re.MULTILINE)


def write(folder: Path, number: int) -> None:
    """The number stands in the tenant's row (its name) and in the catalogue (a theme's name)."""
    if not folder.exists():
        starting.write(folder, TOWN, {}, str)
    path = folder / "tenant.toml"
    text = path.read_text("utf-8")
    text = TENANT_NAME.sub(f'name = "Stadt Haus {number}"', text)
    text = THEME_NAME.sub(f'name.de = "Haus {number}"', text)
    path.write_text(text, "utf-8")


async def test_no_request_fails_while_a_file_is_put_into_force(running: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "town"
    write(folder, 0)
    read = service.load(running, folder)
    await service.apply(running, read, actor="test")
    answers: Counter[int] = Counter()
    seen: list[set[str]] = []
    ended = asyncio.Event()
    async with AsyncTestClient(app=create_app(running), raise_server_exceptions=False) as client:

        async def look() -> None:
            while not ended.is_set():
                for path in ("/", "/theme/wohnen"):
                    answer = await client.get(f"/t/{read.tenant.slug}{path}")
                    answers[answer.status_code] += 1
                    seen.append(set(NAME.findall(answer.text)))
                await asyncio.sleep(0)

        people = [asyncio.create_task(look()) for _ in range(3)]
        for number in range(1, ROUNDS + 1):
            write(folder, number)
            await service.apply(running, service.load(running, folder), actor="test")
            await asyncio.sleep(0.2)
        ended.set()
        await asyncio.gather(*people)
        running.directory.forget()
        await asyncio.sleep(1.1)
        last = (await client.get(f"/t/{read.tenant.slug}/")).text
    assert set(answers) == {200}, answers
    assert sum(answers.values()) > 30
    assert set(NAME.findall(last)) == {str(ROUNDS)}
    known = {str(number) for number in range(ROUNDS + 1)}
    assert all(numbers <= known for numbers in seen), "the old or the new, and nothing else"
