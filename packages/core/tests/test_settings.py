"""Settings of a deployment: from variables of the environment, refused with names when they do not fit."""

from __future__ import annotations

import inspect
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from servicepunkt.core.clock import RehearsalClock, SystemClock
from servicepunkt.core.errors import SecretError, SettingsError
from servicepunkt.core.settings import Settings, read_settings


def test_settings_come_from_variables_with_the_prefix() -> None:
    read = read_settings(
        {
            "SERVICEPUNKT_HOME": "/srv/servicepunkt",
            "SERVICEPUNKT_SECURE_COOKIES": "false",
            "SERVICEPUNKT_PUBLIC_URL": "https://service.example.org",
            "PATH": "/bin",
            "HOME": "/nobody",
        }
    )
    assert read.home == Path("/srv/servicepunkt")
    assert read.secure_cookies is False
    assert read.public_url == "https://service.example.org"


def test_without_variables_everything_has_a_sensible_value() -> None:
    read = read_settings({})
    assert read.secure_cookies is True
    assert read.database_url == ""
    assert isinstance(read.clock, SystemClock)


def test_a_misspelt_variable_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(
        SettingsError, match=r"SERVICEPUNKT_DATABSE_URL.*SERVICEPUNKT_SMTPURL.*known are .*database_url"
    ):
        read_settings({"SERVICEPUNKT_SMTPURL": "x", "SERVICEPUNKT_DATABSE_URL": "y", "SERVICEPUNKT_HOME": "/h"})


@pytest.mark.parametrize(
    "name",
    ["SERVICEPUNKT_BOX_SECRET", "SERVICEPUNKT_TEST_X", "SERVICEPUNKT_REQUIRE_PEERS", "SERVICEPUNKT_PEER_LIBOSDP"],
)
def test_variables_of_boxes_and_tests_are_no_business_of_the_centre(name: str) -> None:
    assert read_settings({name: "1"}) == Settings()


def test_a_value_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"bool.*secure_cookies"):
        read_settings({"SERVICEPUNKT_SECURE_COOKIES": "perhaps"})


def test_a_log_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="log_level"):
        read_settings({"SERVICEPUNKT_LOG_LEVEL": "loud"})
    assert read_settings({"SERVICEPUNKT_LOG_LEVEL": "DEBUG"}).log_level == "DEBUG"


def test_every_setting_is_explained_where_it_is_declared() -> None:
    explained = re.findall(r"^(\w+) {2,}\S", inspect.getdoc(Settings) or "", re.MULTILINE)
    assert sorted(explained) == sorted(Settings.__struct_fields__)


def test_a_rehearsal_has_the_clock_of_its_file(tmp_path: Path) -> None:
    clock = Settings(rehearsal_clock=str(tmp_path / "shift")).clock
    assert isinstance(clock, RehearsalClock)


# --- the master key -------------------------------------------------------------------------------------------


def test_the_master_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    key = Settings(home=home).master_key_bytes()
    assert len(key) == 32
    assert Settings(home=home).master_key_bytes() == key
    assert stat.S_IMODE((home / "master.key").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["master.key"]
    assert Settings(home=tmp_path / "other").master_key_bytes() != key


def test_a_named_master_key_is_taken_and_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER", "ab" * 32)
    assert Settings(home=tmp_path, master_key="env:MASTER").master_key_bytes() == b"\xab" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "ab", "zz" * 32, "ab" * 33, "ü"])
def test_a_master_key_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content, "utf-8")
    with pytest.raises(SettingsError, match="master key"):
        Settings(home=tmp_path, master_key=f"file:{tmp_path}/key").master_key_bytes()


def test_a_master_key_that_is_named_and_missing_is_never_replaced_by_a_new_one(tmp_path: Path) -> None:
    with pytest.raises(SecretError):
        Settings(home=tmp_path, master_key=f"file:{tmp_path}/absent").master_key_bytes()
    assert list(tmp_path.iterdir()) == []


def test_whoever_finds_no_key_and_is_late_takes_the_other_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The narrowest race, made certain: both look, neither sees a key, both make one."""
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert Settings(home=tmp_path).master_key_bytes() == Settings(home=tmp_path).master_key_bytes()
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


RACER = """
import sys
from pathlib import Path
from servicepunkt.core.settings import Settings
settings = Settings(home=Path(sys.argv[1]))
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write(settings.master_key_bytes().hex())
"""


def test_processes_that_start_together_agree_on_one_master_key(tmp_path: Path) -> None:
    home = tmp_path / "home"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    keys = {racer.communicate(timeout=30)[0] for racer in racers}
    assert len(keys) == 1
    assert keys == {(home / "master.key").read_text()}
    assert stat.S_IMODE((home / "master.key").stat().st_mode) == 0o600
