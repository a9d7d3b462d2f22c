"""An upgrade goes round: the version before the newest migration and this one serve together, and nobody notices."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from servicepunkt.core.db import embedded
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.testing import TEST_POSTGRES, own_server

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = "packages/*/src/servicepunkt/*/migrations/*.py"
VENDOR = Path("packages/web/src/servicepunkt/web/static/vendor")
PATIENCE = 120.0


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Path]:
    """The repository as it was before the newest migration came."""
    newest = git("log", "--diff-filter=A", "--format=%H", "-1", "--", MIGRATIONS)
    if not newest or subprocess.run(["git", "cat-file", "-e", f"{newest}^"], cwd=ROOT, check=False).returncode:
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail("the history of the repository is not here")
        pytest.skip("the history of the repository is not here")
    folder = tmp_path / "before"
    git("worktree", "add", "--detach", str(folder), f"{newest}^")
    try:
        shutil.copytree(ROOT / VENDOR, folder / VENDOR)
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


@pytest.fixture
def server() -> Iterator[Urls]:
    programs = Path(os.environ.get(TEST_POSTGRES) or embedded.programs())
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home, own_server(Path(home), programs) as urls:
        yield urls


class Version:
    """The product of a checkout on the one database."""

    def __init__(self, checkout: Path, urls: Urls, home: Path) -> None:
        sources = [*checkout.glob("packages/*/src"), *checkout.glob("*/src"), *checkout.glob("examples/*/src")]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SERVICEPUNKT_")},
            "PYTHONPATH": os.pathsep.join(map(str, sources)),
            "SERVICEPUNKT_HOME": str(home),
            # Others are installed for the newer version, and may want what the older one does not have yet.
            "SERVICEPUNKT_PLUGINS": "core,web,dokbox,tenants",
            "SERVICEPUNKT_DATABASE_URL": urls.application,
            "SERVICEPUNKT_OWNER_DATABASE_URL": urls.owner,
            "SERVICEPUNKT_SECURE_COOKIES": "false",
            # The crowd has one address.
            "SERVICEPUNKT_ADDRESS_REQUESTS": "0",
            "SERVICEPUNKT_TENANT_REQUESTS": "0",
        }

    def run(self, *words: str) -> None:
        command = [sys.executable, "-m", "servicepunkt.core", *words]
        ended = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    @contextmanager
    def serving(self) -> Iterator[str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "servicepunkt.core", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=self.environment)
        base = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + PATIENCE
            while not answers(f"{base}/health/live"):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield base
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def answers(address: str) -> bool:
    try:
        return httpx.get(address).is_success
    except httpx.HTTPError:
        return False


class Crowd:
    """Visitors who read pages wherever a server is, as a reverse proxy sends them."""

    def __init__(self, paths: list[str]) -> None:
        self.bases: tuple[str, ...] = ()
        self.seen: Counter[tuple[str, int]] = Counter()
        self.bad: list[str] = []
        self._paths = paths
        self._going = True
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(3)]

    def _read(self, number: int) -> None:
        with httpx.Client(follow_redirects=True, timeout=30) as client:
            while self._going:
                number += 1
                base, path = self.bases[number % len(self.bases)], self._paths[number % len(self._paths)]
                try:
                    answer = client.get(base + path)
                except httpx.HTTPError as error:
                    self.bad.append(f"{base}{path}: {error!r}")
                    continue
                self.seen[base, answer.status_code] += 1
                if not answer.is_success:
                    self.bad.append(f"{base}{path}: {answer.status_code}")

    @contextmanager
    def reading(self, base: str) -> Iterator[None]:
        self.bases = (base,)
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._going = False
            for thread in self._threads:
                thread.join()

    def wait_for(self, base: str, count: int) -> None:
        start, deadline = self.seen[base, 200], time.monotonic() + PATIENCE
        while self.seen[base, 200] < start + count:
            assert time.monotonic() < deadline, self.bad[:5]
            time.sleep(0.05)


def test_two_versions_serve_together_and_no_answer_is_a_failure(before: Path, server: Urls, tmp_path: Path) -> None:
    old, new = Version(before, server, tmp_path / "home"), Version(ROOT, server, tmp_path / "home")
    old.run("db", "upgrade")
    pack = next(before.glob("examples/*/src/*/tenant"))
    old.run("tenant", "apply", str(pack))
    with ExitStack() as later, old.serving() as first:
        home = f"/t/{pack.parent.name.removeprefix('servicepunkt_example_').replace('_', '-')}/"
        links = re.findall(rf'href="({home}[^"#]*)"', httpx.get(first + home, follow_redirects=True).text)
        paths = [home, *sorted({link.replace("&amp;", "&") for link in links if answers(first + link)})]
        assert len(paths) > 3
        crowd = Crowd(paths)
        with crowd.reading(first):
            crowd.wait_for(first, 20)
            new.run("db", "upgrade")
            crowd.wait_for(first, 20)
            assert httpx.get(f"{first}/health/live").is_success
            second = later.enter_context(new.serving())
            crowd.bases = (first, second)
            crowd.wait_for(first, 60)
            crowd.wait_for(second, 60)
            crowd.bases = (second,)
            crowd.wait_for(second, 20)
        assert httpx.get(f"{second}/health/ready").is_success
    assert crowd.bad == []
    assert {status for _, status in crowd.seen} == {200}
