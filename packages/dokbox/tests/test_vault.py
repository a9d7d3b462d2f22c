"""The vaults that need nothing but files: what they keep, what they refuse, and what they forget."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

import pytest

from servicepunkt.dokbox.errors import VaultError
from servicepunkt.dokbox.vault import FileVault, RemoteVault, seal_to
from servicepunkt.dokbox.vault.model import following, is_signed


def test_the_keys_stay_over_restarts_and_are_readable_by_the_owner_alone(tmp_path: Path) -> None:
    one, two = (FileVault(tmp_path / "vault", secrets.token_bytes) for _ in range(2))
    assert one.public_key == two.public_key
    assert one.signing_key == two.signing_key
    assert one.locator_key == two.locator_key
    assert one.pepper("1") == two.pepper("1")
    assert one.derived("forms") == two.derived("forms") != two.derived("anchor")
    rights = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "vault").iterdir()}
    assert rights == dict.fromkeys(("box.key", "locator.key", "pepper-1.key", "sign.key"), 0o600)


@pytest.mark.parametrize("spoil", [lambda p: p.chmod(0o640), lambda p: p.write_bytes(b"short")], ids=["rights", "size"])
@pytest.mark.parametrize("name", ["box", "sign", "locator", "pepper-1"])
def test_a_key_that_is_not_as_it_was_made_is_refused(tmp_path: Path, name: str, spoil: object) -> None:
    FileVault(tmp_path, secrets.token_bytes)
    spoil(tmp_path / f"{name}.key")  # type: ignore[operator]
    with pytest.raises(VaultError):
        FileVault(tmp_path, secrets.token_bytes)


def test_an_erased_pepper_is_gone(tmp_path: Path) -> None:
    vault = FileVault(tmp_path, secrets.token_bytes)
    vault.rotate()
    assert (vault.kid, vault.kids) == ("2", {"1", "2"})
    vault.erase("1")
    for found in (vault, FileVault(tmp_path, secrets.token_bytes)):
        assert (found.kid, found.kids) == ("2", {"2"})
        with pytest.raises(VaultError):
            found.pepper("1")


def test_the_newest_is_found_by_its_number(tmp_path: Path) -> None:
    vault = FileVault(tmp_path, secrets.token_bytes)
    for _ in range(10):
        vault.rotate()
    assert FileVault(tmp_path, secrets.token_bytes).kid == "11"
    assert following("") == "1"


def test_sealed_and_signed(tmp_path: Path) -> None:
    vault = FileVault(tmp_path, secrets.token_bytes)
    sealed = seal_to(vault.public_key, b"number", context="a")
    assert vault.unseal(sealed, context="a") == b"number"
    with pytest.raises(VaultError):
        vault.unseal(sealed, context="b")
    assert is_signed(vault.signing_key, vault.sign(b"said").hex(), b"said")
    assert not is_signed(vault.signing_key, vault.sign(b"said").hex(), b"not said")


def test_what_the_centre_delivers_touches_no_disk(tmp_path: Path) -> None:
    vault = RemoteVault(tmp_path, secrets.token_bytes)
    assert not vault.ready
    for ask in (lambda: vault.locator_key, lambda: vault.pepper(vault.kid)):
        with pytest.raises(VaultError):
            ask()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    vault.deliver(b"l" * 32, {"3": b"p" * 32})
    assert (vault.ready, vault.kid, vault.pepper("3"), vault.locator_key) == (True, "3", b"p" * 32, b"l" * 32)
    vault.rotate()
    assert (vault.wanted, vault.kid) == ("4", "3")
    vault.deliver(b"l" * 32, {"3": b"p" * 32, "4": b"q" * 32})
    assert (vault.wanted, vault.kid) == ("", "4")
    vault.erase("3")
    assert vault.outdated
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert not RemoteVault(tmp_path, secrets.token_bytes).ready
