"""Secrets by reference: what stands in a setting says where the secret is, and nothing says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from servicepunkt.core.errors import SecretError
from servicepunkt.core.secrets import MAX_SECRET_BYTES, read_secret


def test_a_secret_comes_from_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "geheim ü")
    (tmp_path / "secret").write_bytes(b"geheim\n")
    assert read_secret("env:MAIL_PASSWORD") == "geheim ü".encode()
    assert read_secret(f"file:{tmp_path}/secret") == b"geheim"


def test_only_one_line_feed_at_the_end_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b" \r\n a\n\n")
    assert read_secret(f"file:{tmp_path}/secret") == b" \r\n a\n"


@pytest.mark.parametrize("reference", ["", "hunter2", "env:", "file:", "ENV:PATH", "vault:x", ":x", "http://x"])
def test_a_secret_written_down_itself_is_refused_and_not_repeated(reference: str) -> None:
    with pytest.raises(SecretError, match="env:NAME or file:PATH") as caught:
        read_secret(reference)
    assert "hunter2" not in str(caught.value)


def test_what_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ABSENT", raising=False)
    with pytest.raises(SecretError, match="ABSENT is not set"):
        read_secret("env:ABSENT")
    with pytest.raises(SecretError, match="No such file"):
        read_secret(f"file:{tmp_path}/absent")
    with pytest.raises(SecretError, match="Is a directory"):
        read_secret(f"file:{tmp_path}")


def test_a_file_that_can_be_no_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    with pytest.raises(SecretError, match="larger than"):
        read_secret(f"file:{tmp_path}/large")
    (tmp_path / "large").write_bytes(b"x" * MAX_SECRET_BYTES)
    assert len(read_secret(f"file:{tmp_path}/large")) == MAX_SECRET_BYTES
