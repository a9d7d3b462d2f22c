"""Files in a folder and mail: whole or not at all, once, and for this tenant alone."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from servicepunkt.core.applications import connectors, papers
from servicepunkt.core.applications.connectors import EmailConnector, FolderConnector, write
from servicepunkt.core.applications.model import Answer, ConnectorError, Person, Submission
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices.channels.smtp import SmtpChannel
from servicepunkt.core.notices.model import DeliveryError
from servicepunkt.core.notices.settings import NoticeSettings, Rehearsal
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import RecordingChannel

AT = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


def sent(**values: Any) -> Submission:
    answer = Answer(name="name", kind="text", label="Nachname", value="<b>&", text="<b>&", given=True)
    known = Person(provider="card", level=3, at=AT, proof="p-1", given={"name": "<b>&"})
    made = Submission(
        id=uuid4(), tenant="alpha", reference="7K3M-92XR", service="certificate", title="Führungszeugnis",
        point="north", place="terminal", language="en", submitted_at=AT, consent="Ich willige ein.", person=known,
        answers=(answer, Answer(name="ok", kind="yes_no", label="Ehrenamt", value="yes", text="yes")),
    )  # fmt: skip
    return msgspec.structs.replace(made, **values)


async def test_both_files_are_there_with_mode_600_and_say_everything(running: Deployment, ctx: TenantContext) -> None:
    one = sent()
    assert await FolderConnector(running, ctx).send(one) == "7K3M-92XR.json"
    folder = running.settings.home / "applications" / "alpha" / "inbox"
    assert sorted(path.name for path in folder.iterdir()) == ["7K3M-92XR.html", "7K3M-92XR.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    content = msgspec.json.decode((folder / "7K3M-92XR.json").read_bytes())
    assert content["format"] == "servicepunkt-application/1"
    assert content["person"] == {"provider": "card", "level": 3, "at": "2026-11-21T18:40:00Z", "proof": "p-1"}
    assert content["answers"][0]["value"] == "<b>&"
    page = (folder / "7K3M-92XR.html").read_text("utf-8")
    HTMLParser().feed(page)
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page
    assert "<small>wie ausgewiesen</small>" in page
    assert "<td>Ja</td>" in page


def test_asked_again_it_is_one_and_another_of_the_same_reference_is_refused(tmp_path: Path) -> None:
    one = sent()
    assert write(tmp_path / "a", one, b"page") == write(tmp_path / "a", one, b"other page")
    before = {path: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    with pytest.raises(ConnectorError):
        write(tmp_path / "a", sent(), b"page")
    (tmp_path / "a" / "2222-2222.json").write_text("no json")
    with pytest.raises(ConnectorError):
        write(tmp_path / "a", sent(reference="2222-2222"), b"page")
    assert {path: path.read_bytes() for path in before} == before


def test_killed_between_the_two_files_it_is_finished_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = sent()

    def killed(_: Submission) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(papers, "as_json", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, one, b"page")
    assert [path.name for path in tmp_path.iterdir()] == ["7K3M-92XR.html"]
    monkeypatch.undo()
    assert write(tmp_path, one, b"page") == "7K3M-92XR.json"
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_folder_that_cannot_be_written_is_said_without_its_path(
    running: Deployment, ctx: TenantContext
) -> None:
    (running.settings.home / "applications").write_text("in the way")
    with pytest.raises(ConnectorError) as caught:
        await FolderConnector(running, ctx).send(sent())
    assert str(running.settings.home) not in str(caught.value)


async def test_mail_carries_both_files_and_says_no_more_than_the_reference(
    running: Deployment, ctx: TenantContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = RecordingChannel("first"), RecordingChannel("second")

    async def channels(*_: Any) -> Any:
        return (first, second)

    async def down(_: Any) -> str:
        raise DeliveryError(permanent=False)

    monkeypatch.setattr(notices, "channels_for", channels)
    monkeypatch.setattr(first, "send", down)
    receipt = await EmailConnector(running, ctx).send(sent(title="Führungs\r\nBcc: x"))
    (message,) = second.messages
    assert receipt
    assert message.recipient == "office@example.org"
    assert message.subject == "Antrag 7K3M-92XR: Führungs Bcc: x"
    assert "&" not in message.text
    mail = SmtpChannel(name="m", host="h", port=1, sender="town@example.org", encryption="none")._mail(message)
    names = [part.get_filename() for part in mail.iter_attachments()]
    assert names == ["7K3M-92XR.json", "7K3M-92XR.html"]
    monkeypatch.setattr(second, "send", down)
    with pytest.raises(ConnectorError):
        await EmailConnector(running, ctx).send(sent())


async def test_in_a_rehearsal_only_those_who_rehearse_get_mail(running: Deployment, ctx: TenantContext) -> None:
    settings = {**ctx.settings, "notices": NoticeSettings(rehearsal=Rehearsal(recipients=("other@example.org",)))}
    with pytest.raises(ConnectorError, match="rehearsal"):
        await EmailConnector(running, msgspec.structs.replace(ctx, settings=settings)).send(sent())


async def test_a_connector_that_nobody_brings_is_said(running: Deployment, ctx: TenantContext) -> None:
    with pytest.raises(ConnectorError, match="no connector 'none'"):
        connectors.connector_named(running, ctx, "none")
