"""What is wrong with a tenant's notices is said when its file is read, before anything is put into force."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import service

FILE = """
schema = 1
[tenant]
slug = "seeburg"
name = "Stadt Seeburg"
ags = "06631001"
subdivision = "HE"
plugins = ["lockers"]
"""


class Lockers:
    """A plugin with one text."""

    servicepunkt_api = "1"

    def __init__(self, **texts: str) -> None:
        self.template = NoticeTemplate("locker", texts)

    @hookimpl
    def notice_templates(self) -> Sequence[NoticeTemplate]:
        return (self.template,)


def mistakes(folder: Path, section: str = "", **texts: str) -> list[str]:
    """What `tenant check` would say; nothing is connected to."""
    (folder / "tenant.toml").write_text(FILE + section, "utf-8")
    host = PluginHost()
    host.register(core_plugin, "core")
    host.register(Lockers(**texts or {"de": "Fach offen: {code}"}), "lockers")
    host.freeze()
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    deployment = Deployment(Settings(home=folder, database_url=nowhere), host, Database(nowhere))
    try:
        service.load(deployment, folder)
    except InvalidInputError as error:
        return [f"{place}: {sentence}" for place, sentence in error.mistakes]
    return []


def test_a_file_that_is_in_order(tmp_path: Path) -> None:
    assert mistakes(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Fach offen – {code}", "tenant.toml:1:1 notices.locker/de: characters outside the SMS alphabet: –"),
        ("Fach offen: {code}" + "a" * 160, "tenant.toml:1:1 notices.locker/de: 2 SMS instead of 1"),
        ("www.seeburg.de {code}", "tenant.toml:1:1 notices.locker/de: an SMS holds no link"),
        ("Guten Tag {name}", "tenant.toml:1:1 notices.locker/de: unknown places name"),
        ("", "tenant.toml:1:1 notices.locker/de: there is no text in this language"),
    ],
)
def test_texts_are_checked_when_the_file_is_read(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in mistakes(tmp_path, de=text)


def test_every_language_is_checked_with_the_longest_values(tmp_path: Path) -> None:
    found = mistakes(tmp_path, de="{tenant} {code}", en="{tenant}" * 13, tr="{code} ş")
    assert found == [
        "tenant.toml:1:1 notices.locker/en: 2 SMS instead of 1",
        "tenant.toml:1:1 notices.locker/tr: characters outside the SMS alphabet: ş",
    ]


def test_providers_are_checked_when_the_file_is_read(tmp_path: Path) -> None:
    section = """
[notices]
sms = ["north", "nobody"]
[[notices.provider]]
name = "north"
protocol = "rest"
profile = "seven"
sender = "SEEBURG"
key = "env:TENANT_BERGSTADT__KEY"
"""
    assert mistakes(tmp_path, section) == [
        "tenant.toml:11:1 notices.sms: there is no provider 'nobody' for sms",
        "tenant.toml:17:1 notices.provider[0].key: a secret of this tenant is written as "
        "env:TENANT_SEEBURG__NAME or file:NAME",
    ]
