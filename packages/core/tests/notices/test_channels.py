"""The rehearsal telephone, against a real HTTP server on this computer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from servicepunkt.core.errors import SecretError, SettingsError
from servicepunkt.core.notices.channels.phone import PhoneChannel
from servicepunkt.core.notices.channels.smtp import smtp_channel
from servicepunkt.core.notices.model import DeliveryError, Message

MESSAGE = Message("01", "+4915112345678", "Code 123456 – jetzt", subject="Alpha")


class Telephone(ThreadingHTTPServer):
    """Keeps messages by reference, as the channel's contract says; `status` makes it refuse."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.status = 204
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Telephone

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(self.path)
        if self.server.status < 300:
            self.server.kept[body["reference"]] = body
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


@pytest.fixture
def telephone() -> Iterator[Telephone]:
    with Telephone() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_a_message_arrives_with_its_reference_and_a_repeated_one_is_kept_once(telephone: Telephone) -> None:
    channel = PhoneChannel(telephone.url)
    assert (channel.name, channel.kind) == ("phone", "sms")
    assert await channel.send(MESSAGE) == await channel.send(MESSAGE) == "01"
    assert telephone.requests == ["/messages", "/messages"]
    assert list(telephone.kept.values()) == [
        {"reference": "01", "recipient": MESSAGE.recipient, "text": MESSAGE.text, "qr": ""}
    ]


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (404, True), (422, True), (500, False), (503, False)])
async def test_a_refusal_is_permanent_and_a_fault_is_not(telephone: Telephone, status: int, permanent: bool) -> None:
    telephone.status = status
    with pytest.raises(DeliveryError, match=str(status)) as caught:
        await PhoneChannel(telephone.url).send(MESSAGE)
    assert caught.value.permanent is permanent
    assert MESSAGE.recipient not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://a..b", "http://[::1", "a"])
async def test_a_telephone_that_cannot_be_called_does_not_answer(url: str) -> None:
    with pytest.raises(DeliveryError, match="does not answer") as caught:
        await PhoneChannel(url).send(MESSAGE)
    assert not caught.value.permanent


async def test_a_mail_server_that_cannot_be_is_one_that_does_not_answer() -> None:
    with pytest.raises(DeliveryError, match="does not answer") as caught:
        await smtp_channel("smtp://mail..b.de/?sender=a@example.org").send(
            Message("01", "anna@example.net", "Guten Tag", subject="Alpha")
        )
    assert not caught.value.permanent


@pytest.mark.parametrize("status", [408, 425, 429])
async def test_being_asked_to_wait_is_no_refusal(telephone: Telephone, status: int) -> None:
    telephone.status = status
    with pytest.raises(DeliveryError) as caught:
        await PhoneChannel(telephone.url).send(MESSAGE)
    assert caught.value.permanent is False


async def test_a_telephone_that_is_off_or_not_named_is_a_temporary_failure(telephone: Telephone) -> None:
    url = telephone.url
    telephone.shutdown()
    telephone.server_close()
    for channel in (PhoneChannel(url), PhoneChannel("")):
        with pytest.raises(DeliveryError) as caught:
            await channel.send(MESSAGE)
        assert caught.value.permanent is False
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "smtp://",
        "smtp://mail.example.org",
        "http://mail.example.org/?sender=a@example.org",
        "smtp:///?sender=a@example.org",
        "smtp://mail.example.org/?sender=",
        "smtp://mail.example.org/?from=a@example.org",
        "smtp://mail.example.org:port/?sender=a@example.org",
    ],
)
def test_the_address_of_a_mail_server_is_checked_at_once(url: str) -> None:
    with pytest.raises(SettingsError, match=r"smtp://host:port/\?sender=address"):
        smtp_channel(url)


async def test_a_password_that_cannot_be_read_is_said_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MAIL_PASSWORD", raising=False)
    channel = smtp_channel("smtp://user@127.0.0.1:1/?sender=a@example.org&password=env:MAIL_PASSWORD")
    with pytest.raises(SecretError, match="MAIL_PASSWORD"):
        await channel.send(MESSAGE)
