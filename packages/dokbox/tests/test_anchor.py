"""The anchor: a journal that was set back is noticed, and a power cut at no moment is taken for one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from servicepunkt.dokbox.controller import anchor as anchors
from servicepunkt.dokbox.errors import OutOfOrderError, RefusedError, VaultError
from servicepunkt.dokbox.testing import Bench, CountingVault, MemoryCounter

NUMBER, D1 = "+4915112345678", "01980000-0000-7000-8000-000000000001"
D2 = "01980000-0000-7000-8000-000000000002"


class PowerCutError(BaseException):
    """The plug is pulled."""


class Anchored(Bench):
    """A box whose counter outlives its disk."""

    def __init__(self, folder: Path) -> None:
        self.counter = MemoryCounter()
        super().__init__(folder, vault=lambda: CountingVault(folder / "vault", self.random.randbytes, self.counter))

    async def start(self) -> None:
        await self.restart()
        self.counter.fresh = False
        self.controller.ledger.note(anchors.STARTED)


@pytest.fixture
async def box(tmp_path: Path) -> Anchored:
    made = Anchored(tmp_path / "box")
    await made.start()
    return made


async def collect(box: Bench, code: str) -> None:
    visit = await box.controller.present(NUMBER, code)
    await box.controller.confirm(visit.token, "old_document", answer=True)
    await box.controller.release(visit.token)
    await box.opened(7)
    await box.close(7, item=False)


def image(box: Bench, name: str) -> Path:
    """A copy of the disk with the box switched off; the journal is opened again by `start`."""
    box.journal.close()
    return Path(shutil.copytree(box.folder, box.folder.with_name(name)))


def put_back(box: Bench, copy: Path) -> None:
    box.journal.close()
    shutil.rmtree(box.folder)
    shutil.copytree(copy, box.folder)


async def test_all_is_well_over_many_starts(box: Anchored) -> None:
    for deposit in (D1, D2):
        _, code = await box.load(deposit)
        await box.start()
        await collect(box, code)
        await box.start()
    assert box.controller.troubles == ()
    box.put_away()


async def test_the_counter_steps_for_what_is_spent_and_for_nothing_else(box: Anchored) -> None:
    _, code = await box.load(D1)
    before = box.counter.steps
    with pytest.raises(RefusedError):
        await box.controller.present("+4915199999999", code)
    assert box.counter.steps == before
    with pytest.raises(RefusedError):
        await box.controller.present(NUMBER, "000000" if code != "000000" else "111111")
    assert box.counter.steps == before + 1
    await collect(box, code)
    assert box.counter.steps == before + 2
    box.put_away()


async def test_an_image_of_the_running_box_brings_no_try_back(box: Anchored) -> None:
    _, code = await box.load(D1)
    copy = Path(shutil.copytree(box.folder, box.folder.with_name("running")))
    with pytest.raises(RefusedError):
        await box.controller.present(NUMBER, "000000" if code != "000000" else "111111")
    put_back(box, copy)
    await box.start()
    assert box.controller.troubles == ("distrusted",)
    box.put_away()


async def test_a_disk_that_is_set_back_hands_nothing_out(box: Anchored) -> None:
    """The code was spent; the image of the disk from before does not know it, the counter does."""
    _, code = await box.load(D1)
    copy = image(box, "before")
    await box.start()
    await collect(box, code)
    put_back(box, copy)
    await box.start()
    assert box.controller.troubles == ("distrusted",)
    box.doors.items[7] = True
    with pytest.raises(OutOfOrderError):
        await box.controller.present(NUMBER, code)
    await box.start()
    assert box.controller.troubles == ("distrusted",)
    box.put_away()


async def test_an_image_of_the_running_box_brings_no_code_back(box: Anchored) -> None:
    """No start lies in between: one half of a mirrored disk was pulled while the box ran."""
    _, code = await box.load(D1)
    copy = Path(shutil.copytree(box.folder, box.folder.with_name("running")))
    await collect(box, code)
    put_back(box, copy)
    await box.start()
    assert box.controller.troubles == ("distrusted",)
    box.put_away()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_power_cut_between_journal_and_counter_is_no_alarm(
    box: Anchored, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    _, code = await box.load(D1)
    step = box.counter.step

    def cut() -> None:
        if moment == "after":
            step()
        raise PowerCutError

    visit = await box.controller.present(NUMBER, code)
    await box.controller.confirm(visit.token, "old_document", answer=True)
    monkeypatch.setattr(box.counter, "step", cut)
    with pytest.raises(PowerCutError):
        await box.controller.release(visit.token)
    assert box.doors.pulses[7] == 1, "the door opens after both"
    monkeypatch.undo()
    before = box.counter.value()
    await box.restart()
    assert box.controller.troubles == ()
    assert box.counter.value() == before + (moment == "before")
    copy_of_the_window = image(box, "window")
    await box.start()
    await box.start()
    put_back(box, copy_of_the_window)
    await box.start()
    assert box.controller.troubles == ("distrusted",)
    box.put_away()


async def test_a_power_cut_before_the_journal_is_synced_is_no_alarm(box: Anchored) -> None:
    await box.load(D1)

    def cut(_: object) -> None:
        raise PowerCutError

    with pytest.raises(PowerCutError):
        box.controller.ledger.note("anything", also=cut)
    await box.start()
    assert box.controller.troubles == ()
    box.put_away()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_counter_that_fails_ends_the_handing_out_and_loses_nothing(box: Anchored, moment: str) -> None:
    _, code = await box.load(D1)
    visit = await box.controller.present(NUMBER, code)
    await box.controller.confirm(visit.token, "old_document", answer=True)
    box.counter.broken = "before" if moment == "before" else "after"
    await box.controller.release(visit.token)
    assert box.doors.pulses[7] == 2, "whose code is spent gets the document"
    assert box.controller.troubles == ("counter",)
    assert not box.controller.healthy
    box.counter.broken = ""
    box.controller.ledger.note("anything")
    assert box.controller.troubles == ()
    await box.start()
    assert box.controller.troubles == ()
    box.put_away()


async def test_a_counter_that_does_not_answer_at_the_start_lets_nothing_start(box: Anchored) -> None:
    box.counter.broken = "before"
    with pytest.raises(VaultError):
        await box.restart()
    box.counter.broken = ""
    await box.start()
    assert box.controller.troubles == ()
    box.put_away()


@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM meta WHERE key = 'anchor'",
        "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)",
        """UPDATE meta SET value = CAST(replace(CAST(value AS TEXT), '"counter":', '"counter":1') AS BLOB)
           WHERE key = 'anchor'""",
    ],
)
async def test_a_journal_that_somebody_wrote_is_not_believed(box: Anchored, forgery: str) -> None:
    await box.load(D1)
    box.journal.close()
    with closing(sqlite3.connect(box.folder / "journal.sqlite")) as connection, connection:
        assert connection.execute(forgery).rowcount == 1
    await box.restart()
    assert box.controller.troubles == ("distrusted",)
    box.put_away()


async def test_an_old_journal_with_the_present_count_is_not_believed(box: Anchored) -> None:
    """Whoever has the disk can write the number into it; the MAC under it he cannot make."""
    _, code = await box.load(D1)
    copy = image(box, "before")
    await box.start()
    await collect(box, code)
    put_back(box, copy)
    with closing(sqlite3.connect(box.folder / "journal.sqlite")) as connection, connection:
        [(raw,)] = connection.execute("SELECT value FROM meta WHERE key = 'anchor'")
        mark = msgspec.structs.replace(msgspec.json.decode(raw, type=anchors.Mark), counter=box.counter.value())
        connection.execute("UPDATE meta SET value = ? WHERE key = 'anchor'", (msgspec.json.encode(mark),))
    await box.restart()
    assert box.controller.troubles == ("distrusted",)
    box.put_away()


async def test_a_new_counter_takes_the_journal_as_it_is(tmp_path: Path) -> None:
    """The box is given a counter after it has run without one."""
    plain = Bench(tmp_path / "box")
    await plain.look()
    plain.controller.ledger.note(anchors.STARTED)
    plain.put_away()
    box = Anchored(tmp_path / "box")
    assert box.controller.troubles == ()
    box.put_away()
