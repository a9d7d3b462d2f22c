"""Mail by SMTP (RFC 5321)."""

from __future__ import annotations

import io
from collections.abc import Callable
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib
import segno

from servicepunkt.core.errors import SettingsError
from servicepunkt.core.notices.channels import TIMEOUT_SECONDS
from servicepunkt.core.notices.model import DeliveryError, Message
from servicepunkt.core.secrets import read_secret

Encryption = str


class SmtpChannel:
    """One mail server. `encryption` is tls (from the first byte), starttls, none, or offered: STARTTLS where the
    server has it. `read_password` is asked at each message, so that a changed password needs no restart."""

    kind = "email"

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        sender: str,
        encryption: Encryption = "offered",
        user: str | None = None,
        read_password: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self._host, self._port, self._sender, self._user = host, port, sender, user
        self._tls = encryption == "tls"
        self._starttls = {"starttls": True, "offered": None}.get(encryption, False)
        self._read_password = read_password

    async def send(self, message: Message) -> str:
        mail = self._mail(message)
        password = self._read_password() if self._read_password else None
        try:
            await aiosmtplib.send(
                mail,
                hostname=self._host,
                port=self._port,
                use_tls=self._tls,
                start_tls=self._starttls,
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

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, message.recipient, message.subject
        domain = self._sender.rpartition("@")[2]
        mail["Message-ID"] = f"<{message.reference}@{domain}>"
        mail.set_content(message.text)
        if message.qr:
            mail.add_attachment(qr_png(message.qr), maintype="image", subtype="png", filename="code.png")
        return mail


def qr_png(content: str) -> bytes:
    """A QR code as a picture that a telephone shows large enough for a scanner."""
    picture = io.BytesIO()
    segno.make(content, micro=False, error="m").save(picture, kind="png", scale=10)
    return picture.getvalue()


def smtp_channel(url: str) -> SmtpChannel:
    """The deployment's mail server, from its setting. Raises SettingsError.

    Form: smtp://user@host:587/?sender=service@example.org&password=env:MAIL_PASSWORD, or smtps://
    """
    parsed = urlsplit(url)
    options = dict(part.partition("=")[::2] for part in parsed.query.split("&") if part)
    try:
        port = parsed.port
    except ValueError:
        port = -1
    if parsed.scheme not in ("smtp", "smtps") or not parsed.hostname or not options.get("sender") or port == -1:
        raise SettingsError("SERVICEPUNKT_SMTP_URL has the form smtp://host:port/?sender=address")
    password = options.get("password")
    return SmtpChannel(
        name="smtp",
        host=parsed.hostname,
        port=port or (465 if parsed.scheme == "smtps" else 25),
        sender=unquote(options["sender"]),
        encryption="tls" if parsed.scheme == "smtps" else "offered",
        user=unquote(parsed.username) if parsed.username else None,
        read_password=(lambda: read_secret(password).decode()) if password else None,
    )
