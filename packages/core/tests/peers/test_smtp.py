"""Mail against aiosmtpd, an SMTP server that nobody here wrote, on this computer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import msgspec
import pytest

from servicepunkt.core.notices.channels.smtp import SmtpChannel, smtp_channel
from servicepunkt.core.notices.model import Attachment, DeliveryError, Message

try:
    from aiosmtpd.smtp import SMTP, AuthResult
except ImportError:
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        raise
    pytest.skip("aiosmtpd is not installed (dependency group dev)", allow_module_level=True)

MESSAGE = Message("01a1", "anna@example.net", "Guten Tag,\n\nCode 123456 – für Sie.", subject="Stadt Köln")


class Mailbox:
    """Takes mail; `answer` is what it says to a recipient."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.answer = "250 OK"
        self.answer_to_data = "250 OK"
        self.answer_to_sender = "250 OK"
        self.port = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        envelope.mail_from = address
        return self.answer_to_sender

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer_to_data.startswith("250"):
            self.kept.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return self.answer_to_data

    def channel(self, more: str = "", user: str = "") -> SmtpChannel:
        return smtp_channel(f"smtp://{user}127.0.0.1:{self.port}/?sender=stadt%2Bpunkt@example.org{more}")


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
    return AuthResult(success=(data.login, data.password) == (b"punkt", b"geheim"), handled=False)


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    options = {"authenticator": authenticate, "auth_require_tls": False, "loop": loop, "hostname": "localhost"}
    server = await loop.create_server(lambda: SMTP(box, **options), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()
    await server.wait_closed()


async def test_what_is_attached_arrives_whole(mailbox: Mailbox) -> None:
    files = (
        Attachment("7K3M-92XR.json", "application/json", '{"title": "Führungszeugnis"}'.encode()),
        Attachment("7K3M-92XR.html", "text/html", b"<p>" + b"x" * 100_000 + b"</p>\n"),
    )
    await mailbox.channel().send(msgspec.structs.replace(MESSAGE, attachments=files))
    ((_, _, content),) = mailbox.kept
    parts = list(message_from_bytes(content, policy=policy.default).iter_attachments())
    assert [part.get_filename() for part in parts] == [one.name for one in files]
    assert [part.get_payload(decode=True) for part in parts] == [one.content for one in files]


async def test_a_mail_arrives_whole(mailbox: Mailbox) -> None:
    assert await mailbox.channel().send(MESSAGE) == "01a1"
    ((sender, recipients, content),) = mailbox.kept
    assert (sender, recipients) == ("stadt+punkt@example.org", ["anna@example.net"])
    mail = message_from_bytes(content, policy=policy.default)
    assert mail["Subject"] == "Stadt Köln"
    assert mail["To"] == "anna@example.net"
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == MESSAGE.text


@pytest.mark.parametrize(
    "typed",
    [
        "erika,max@example.org",
        "e.muster<max@example.org",
        "erika;max@example.org",
        "a:b@example.org",
        '"a@example.org',
        "erika(max@example.org",
        "(erika)max@example.org",
        "max@web..de",
        "",
    ],
)
async def test_what_is_no_address_goes_to_nobody(mailbox: Mailbox, typed: str) -> None:
    """A mail server reads `erika,max@example.org` as two, and the second one exists."""
    with pytest.raises(DeliveryError) as caught:
        await mailbox.channel().send(msgspec.structs.replace(MESSAGE, recipient=typed))
    assert caught.value.permanent
    assert mailbox.kept == []


@pytest.mark.parametrize("recipient", ['"erika,max"@example.org', "o'neil+amt@example.org"])
async def test_a_mail_goes_to_the_address_as_it_is_written(mailbox: Mailbox, recipient: str) -> None:
    await mailbox.channel().send(msgspec.structs.replace(MESSAGE, recipient=recipient))
    ((_, recipients, _),) = mailbox.kept
    assert recipients == [recipient]


async def test_a_repeated_mail_carries_the_same_identifier(mailbox: Mailbox) -> None:
    """So that a mailbox, or a person, sees that it is the same one."""
    for _ in range(2):
        await mailbox.channel().send(MESSAGE)
    found = {message_from_bytes(content)["Message-ID"] for _, _, content in mailbox.kept}
    assert found == {"<01a1@example.org>"}


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        ("550 5.1.1 No such user", True),
        ("553 5.1.3 Bad address", True),
        ("556 5.1.10 The domain takes no mail", True),
        ("550 5.7.1 Unable to relay", False),
        ("554 5.7.1 Relay access denied", False),
        ("530 5.7.0 Authentication required", False),
        ("552 5.2.2 Mailbox full", False),
        ("450 4.2.0 Greylisted, come back later", False),
        ("452 4.2.2 Mailbox full", False),
    ],
)
async def test_a_refused_recipient_is_refused_for_good_only_if_the_server_says_so(
    mailbox: Mailbox, answer: str, permanent: bool
) -> None:
    mailbox.answer = answer
    with pytest.raises(DeliveryError, match="refused the recipient") as caught:
        await mailbox.channel().send(MESSAGE)
    assert caught.value.permanent is permanent
    assert MESSAGE.recipient not in str(caught.value)
    assert mailbox.kept == []


@pytest.mark.parametrize(
    ("part", "answer"),
    [
        ("data", "554 5.7.1 Our address is on a list"),
        ("data", "451 4.3.0 Try again"),
        ("sender", "530 5.7.0 Authentication required"),
        ("sender", "553 5.7.1 Sender not allowed"),
    ],
)
async def test_a_refused_content_or_sender_blames_nobody(mailbox: Mailbox, part: str, answer: str) -> None:
    """What is wrong with our server, our address or our settings loses no citizen's mail."""
    setattr(mailbox, f"answer_to_{part}", answer)
    with pytest.raises(DeliveryError, match=answer[:3]) as caught:
        await mailbox.channel().send(MESSAGE)
    assert caught.value.permanent is False


async def test_a_server_that_is_down_is_a_temporary_failure(unused_tcp_port: int) -> None:
    channel = smtp_channel(f"smtp://127.0.0.1:{unused_tcp_port}/?sender=stadt@example.org")
    with pytest.raises(DeliveryError, match="does not answer") as caught:
        await channel.send(MESSAGE)
    assert caught.value.permanent is False


async def test_the_password_is_read_where_the_setting_says(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "geheim")
    await mailbox.channel("&password=env:MAIL_PASSWORD", user="punkt@").send(MESSAGE)
    assert len(mailbox.kept) == 1


async def test_our_own_wrong_password_loses_no_citizens_mail(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "falsch")
    with pytest.raises(DeliveryError, match="535") as caught:
        await mailbox.channel("&password=env:MAIL_PASSWORD", user="punkt@").send(MESSAGE)
    assert caught.value.permanent is False


async def test_a_provider_of_a_tenant_file_sends_with_its_own_password(mailbox: Mailbox) -> None:
    channel = SmtpChannel(
        name="post",
        host="127.0.0.1",
        port=mailbox.port,
        sender="punkt@example.org",
        encryption="none",
        user="punkt",
        read_password=lambda: "geheim",
    )
    assert (channel.name, await channel.send(MESSAGE)) == ("post", "01a1")
    assert len(mailbox.kept) == 1


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
async def test_a_server_without_encryption_gets_no_mail_that_needs_it(mailbox: Mailbox, encryption: str) -> None:
    channel = SmtpChannel(
        name="post", host="127.0.0.1", port=mailbox.port, sender="punkt@example.org", encryption=encryption
    )
    with pytest.raises(DeliveryError) as caught:
        await channel.send(MESSAGE)
    assert caught.value.permanent is False
    assert mailbox.kept == []


async def test_the_deployments_server_may_go_without_encryption_on_this_computer_alone(mailbox: Mailbox) -> None:
    """Whoever is on the line takes the word STARTTLS out of the server's greeting. 127.0.0.2 stands for elsewhere."""
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox), "127.0.0.2", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(DeliveryError, match="does not answer"):
            await smtp_channel(f"smtp://127.0.0.2:{port}/?sender=stadt@example.org").send(MESSAGE)
    finally:
        server.close()
        await server.wait_closed()
    assert mailbox.kept == []
    await mailbox.channel().send(MESSAGE)
    assert len(mailbox.kept) == 1
