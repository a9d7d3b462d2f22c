"""Built-in channels: the rehearsal telephone (shows SMS on a page instead of sending them) and mail by SMTP."""

from __future__ import annotations

import io
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib
import httpx
import segno

from servicepunkt.core.errors import SettingsError
from servicepunkt.core.notices.model import DeliveryError, Message
from servicepunkt.core.secrets import read_secret

TIMEOUT_SECONDS = 10.0
# Too late, too early, too much: the request itself is in order.
COME_BACK_LATER = frozenset({408, 425, 429})


def qr_png(content: str) -> bytes:
    """A QR code as a picture that a telephone shows large enough for a scanner."""
    picture = io.BytesIO()
    segno.make(content, micro=False, error="m").save(picture, kind="png", scale=10)
    return picture.getvalue()


class PhoneChannel:
    """The rehearsal telephone: an HTTP service that keeps messages by reference, so a repeated one is kept once.

    It takes mail as well; `kind` says which of the two.
    """

    name = "phone"

    def __init__(self, url: str, kind: str = "sms") -> None:
        self._url = url
        self.kind = kind

    async def send(self, message: Message) -> str:
        if not self._url:
            raise DeliveryError("SERVICEPUNKT_PHONE_URL does not name a rehearsal telephone", permanent=False)
        body = {
            "reference": message.reference,
            "recipient": message.recipient,
            "text": message.text,
            "qr": message.qr,
        }
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                answer = await client.post(f"{self._url}/messages", json=body)
        except httpx.HTTPError as error:
            raise DeliveryError(
                f"the rehearsal telephone does not answer ({type(error).__name__})", permanent=False
            ) from None
        if answer.status_code >= 400:
            raise DeliveryError(
                f"the rehearsal telephone refused the message ({answer.status_code})",
                permanent=answer.status_code < 500 and answer.status_code not in COME_BACK_LATER,
            )
        return message.reference


class SmtpChannel:
    """Mail by SMTP: `smtp://host:port` or `smtps://`, sender and password reference in the query's place of a URL.

    Form: smtp://user@host:587/?sender=service@example.org&password=env:MAIL_PASSWORD
    """

    name = "smtp"
    kind = "email"

    def __init__(self, url: str) -> None:
        parsed = urlsplit(url)
        options = dict(part.partition("=")[::2] for part in parsed.query.split("&") if part)
        try:
            port = parsed.port
        except ValueError:
            port = -1
        if parsed.scheme not in ("smtp", "smtps") or not parsed.hostname or not options.get("sender") or port == -1:
            raise SettingsError("SERVICEPUNKT_SMTP_URL has the form smtp://host:port/?sender=address")
        self._host, self._port = parsed.hostname, port or (465 if parsed.scheme == "smtps" else 25)
        self._tls = parsed.scheme == "smtps"
        self._user = unquote(parsed.username) if parsed.username else None
        self._password = options.get("password")
        self._sender = unquote(options["sender"])

    async def send(self, message: Message) -> str:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, message.recipient, message.subject
        domain = self._sender.rpartition("@")[2]
        mail["Message-ID"] = f"<{message.reference}@{domain}>"
        mail.set_content(message.text)
        if message.qr:
            mail.add_attachment(qr_png(message.qr), maintype="image", subtype="png", filename="code.png")
        password = read_secret(self._password).decode() if self._password else None
        try:
            await aiosmtplib.send(
                mail,
                hostname=self._host,
                port=self._port,
                use_tls=self._tls,
                username=self._user,
                password=password,
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            # 4yz: greylisting, a full mailbox (RFC 5321, 4.2.1).
            permanent = all(one.code >= 500 for one in refused.recipients)
            raise DeliveryError("the mail server refused the recipient", permanent=permanent) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryError(f"the mail server refused our password ({error.code})", permanent=False) from None
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryError(f"the mail server answered {error.code}", permanent=error.code >= 500) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"the mail server does not answer ({type(error).__name__})", permanent=False) from None
        return message.reference
