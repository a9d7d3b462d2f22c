"""A journal that is closed for good: its entries are kept, its secrets are not, and the box begins a new one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from servicepunkt.dokbox.errors import RefusedError
from servicepunkt.dokbox.journal import Journal, set_aside
from servicepunkt.dokbox.testing import Bench
from servicepunkt.dokbox.verify import verify_journal

D1, NUMBER = "01980000-0000-7000-8000-000000000001", "+4915112345678"
AT = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)


async def filled(folder: Path) -> tuple[Bench, str]:
    bench = Bench(folder)
    await bench.look()
    _, code = await bench.load(D1, NUMBER)
    return bench, code


async def test_entries_stay_and_secrets_go(tmp_path: Path) -> None:
    bench, _ = await filled(tmp_path)
    secret = bench.journal.secret(D1)
    count = bench.controller.ledger.box.seq
    bench.put_away()
    kept = set_aside(tmp_path / "journal.sqlite", at=AT)
    assert kept.name == "journal-20261121T203000Z.sqlite"
    verdict = verify_journal(kept)
    assert (verdict.fault, verdict.entries) == ("", count)
    again = Journal(kept)
    assert again.secret(D1) is None
    assert again.kids() == set()
    again.close()
    assert secret is not None
    assert secret.tag is not None
    assert secret.tag not in kept.read_bytes()
    assert not (tmp_path / "journal.sqlite").exists()


async def test_the_box_begins_a_new_one_in_which_no_old_code_opens(tmp_path: Path) -> None:
    bench, code = await filled(tmp_path)
    bench.put_away()
    set_aside(tmp_path / "journal.sqlite", at=AT)
    fresh = Bench(tmp_path)
    await fresh.look()
    assert fresh.controller.ledger.box.deposits == {}
    compartment, _ = await fresh.load("01980000-0000-7000-8000-000000000002", "+4915100000000")
    assert compartment
    with pytest.raises(RefusedError):
        await fresh.controller.present(NUMBER, code)
    fresh.put_away()


async def test_a_running_box_keeps_its_journal(tmp_path: Path) -> None:
    bench, code = await filled(tmp_path)
    with pytest.raises(BlockingIOError):
        set_aside(tmp_path / "journal.sqlite", at=AT)
    assert (await bench.controller.present(NUMBER, code)).deposit == D1
    bench.put_away()


def test_a_file_that_is_no_journal_is_set_aside_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"burnt" * 1000)
    kept = set_aside(tmp_path / "journal.sqlite", at=AT)
    assert kept.read_bytes() == b"burnt" * 1000
    with pytest.raises(FileNotFoundError):
        set_aside(tmp_path / "journal.sqlite", at=AT)


async def test_the_command(tmp_path: Path) -> None:
    runner = pytest.importorskip("click.testing").CliRunner()
    cli = pytest.importorskip("servicepunkt.dokbox.cli")
    assert runner.invoke(cli.box, ["set-aside", "--home", str(tmp_path)]).exit_code == 2
    bench, _ = await filled(tmp_path)
    running = runner.invoke(cli.box, ["set-aside", "--home", str(tmp_path)])
    assert (running.exit_code, "stop it first" in running.output) == (1, True)
    bench.put_away()
    done = runner.invoke(cli.box, ["set-aside", "--home", str(tmp_path)])
    assert (done.exit_code, "--enrol" in done.output) == (0, True)
