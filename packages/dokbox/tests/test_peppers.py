"""Peppers grow old: new codes get the new one, the old one goes with its last code."""

from __future__ import annotations

import pytest

from servicepunkt.dokbox.errors import RefusedError, VaultError
from servicepunkt.dokbox.testing import Bench

NUMBER, OTHER = "+4915112345678", "+4915112345679"
D1, D2, D3 = (f"01980000-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))


def kid_of(bench: Bench, number: str) -> str:
    found = bench.journal.salt_of(bench.controller.codes.locator("phone", number))
    return found[0] if found else ""


async def test_new_codes_use_the_new_pepper_and_the_old_one_goes_with_its_last_code(bench: Bench) -> None:
    bench.controller.tick()
    bench.clock.forward(days=85)
    _, first = await bench.load(D1, NUMBER)
    bench.clock.forward(days=6)
    bench.controller.tick()
    assert bench.vault.kid == "2"
    bench.controller.tick()
    await bench.load(D2, OTHER)
    assert (kid_of(bench, NUMBER), kid_of(bench, OTHER)) == ("1", "2")
    assert bench.vault.kids == {"1", "2"}
    await bench.restart()
    visit = await bench.controller.present(NUMBER, first)
    assert visit.deposit == D1
    await bench.controller.leave(visit.token)
    await bench.command("recall", deposit=D1)
    bench.controller.tick()
    assert bench.vault.kids == {"2"}
    assert not (bench.folder / "vault" / "pepper-1.key").exists()
    with pytest.raises(VaultError):
        bench.vault.pepper("1")
    await bench.restart()
    assert bench.vault.kids == {"2"}
    events = [entry.event for entry in bench.journal.entries() if entry.event.startswith("pepper")]
    assert events == ["pepper_new", "pepper_new", "pepper_erased"]


async def test_documents_of_one_number_share_the_pepper_of_the_first(bench: Bench) -> None:
    _, first = await bench.load(D1, NUMBER)
    bench.vault.rotate()
    _, second = await bench.load(D2, NUMBER)
    assert kid_of(bench, NUMBER) == "1"
    assert (await bench.controller.present(NUMBER, first)).deposit == D1
    assert (await bench.controller.present(NUMBER, second)).deposit == D2


async def test_a_new_code_of_a_single_document_moves_to_the_new_pepper(bench: Bench) -> None:
    _, first = await bench.load(D1, NUMBER)
    bench.vault.rotate()
    await bench.command("new_code", deposit=D1)
    assert kid_of(bench, NUMBER) == "2"
    bench.controller.tick()
    assert bench.vault.kids == {"2"}
    if bench.code(D1) != first:
        with pytest.raises(RefusedError):
            await bench.controller.present(NUMBER, first)
    assert (await bench.controller.present(NUMBER, bench.code(D1))).deposit == D1


async def test_what_is_not_collected_holds_no_pepper(bench: Bench) -> None:
    await bench.load(D1, NUMBER)
    bench.vault.rotate()
    bench.clock.forward(days=15)
    bench.controller.tick()
    assert bench.state(D1) == "expired"
    assert bench.journal.kids() == set()
    bench.controller.tick()
    assert bench.vault.kids == {"2"}
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, "123456")


async def test_the_centre_orders_a_rotation(bench: Bench) -> None:
    bench.controller.tick()
    await bench.command("rotate_pepper")
    assert bench.vault.kid == "2"
    assert bench.controller.ledger.box.command == bench.commands


async def test_a_pepper_is_not_changed_before_its_time(bench: Bench) -> None:
    bench.controller.tick()
    bench.clock.forward(days=89)
    bench.controller.tick()
    assert bench.vault.kid == "1"
    await bench.restart()
    bench.clock.forward(days=1)
    bench.controller.tick()
    assert bench.vault.kid == "2"


async def test_shredding_leaves_no_tag_and_no_salt(bench: Bench) -> None:
    await bench.load(D1, NUMBER)
    await bench.load(D3, OTHER)
    secret = bench.journal.secret(D1)
    assert secret is not None
    await bench.command("recall", deposit=D1)
    shredded = bench.journal.secret(D1)
    assert shredded is not None
    assert shredded.tag is None, "the number stays until the document is back: staff may find it in order"
    assert bench.journal.salt_of(secret.locator) is None
    await bench.opened(7)
    await bench.close(7, item=False)
    assert bench.journal.secret(D1) is None
    assert bench.journal.salt_of(bench.controller.codes.locator("phone", OTHER)) is not None
