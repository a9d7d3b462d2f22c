"""Mail by SMTP (RFC 5321)."""

from __future__ import annotations

import io
from collections.abc import Callable
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib
import segno

from servicepunkt.core.errors import SettingsError
from servicepunkt.core.notices.channels import TIMEOUT_SECONDS
from servicepunkt.core.notices.model import DeliveryError, Message
from servicepunkt.core.notices.settings import LOOPBACK
from servicepunkt.core.secrets import read_secret

Encryption = str
# Of a refused recipient: no such mailbox, none here, a name that cannot be, a domain that takes no mail (RFC 5321,
# 4.2.3; RFC 7504). Every other refusal speaks of us, of the server or of this moment, and another may do.
BLAMES_RECIPIENT = frozenset({550, 551, 553, 556})
# Security or policy (RFC 3463, 3.8): the recipient may be well, and we are not allowed to send to him.
POLICY = "5.7."


class SmtpChannel:
    """One mail server. `encryption` is tls (from the first byte), starttls, none, or offered: STARTTLS where the
    server has it, of which somebody on the line can rob us. `read_password` is asked at each message, so that a
    changed password needs no restart."""

    kind = "email"

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        sender: str,
        encryption: Encryption,
        user: str | None = None,
        read_password: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self._host, self._port, self._sender, self._user = host, port, sender, user
        self._tls = encryption == "tls"
        self._starttls = {"starttls": True, "offered": None}.get(encryption, False)
        self._read_password = read_password

    async def send(self, message: Message) -> str:
        """Our own reference. Raises DeliveryError, SecretError."""
        password = self._read_password() if self._read_password else None
        mail = self._mail(message)
        try:
            await aiosmtplib.send(
                mail,
                # Named here, so that no reading of the header below adds somebody.
                sender=self._sender,
                recipients=[message.recipient],
                hostname=self._host,
                port=self._port,
                use_tls=self._tls,
                start_tls=self._starttls,
                username=self._user,
                password=password,
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            permanent = all(blames_recipient(one.code, one.message) for one in refused.recipients)
            raise DeliveryError("the mail server refused the recipient", permanent=permanent) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryError(f"the mail server refused our password ({error.code})", permanent=False) from None
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryError(f"the mail server answered {error.code}", permanent=False) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a host that is none
            raise DeliveryError(f"the mail server does not answer ({type(error).__name__})", permanent=False) from None
        return message.reference

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = address(self._sender, permanent=False)
        mail["To"] = address(message.recipient, permanent=True)
        mail["Subject"] = message.subject
        domain = self._sender.rpartition("@")[2]
        mail["Message-ID"] = f"<{message.reference}@{domain}>"
        mail.set_content(message.text)
        if message.qr:
            mail.add_attachment(qr_png(message.qr), maintype="image", subtype="png", filename="code.png")
        for one in message.attachments:
            maintype, _, subtype = one.kind.partition("/")
            mail.add_attachment(one.content, maintype=maintype, subtype=subtype, filename=one.name)
        return mail


def address(text: str, *, permanent: bool) -> Address:
    """One mail address and nothing else (RFC 5322, 3.4.1). Raises DeliveryError."""
    try:
        found = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):
        found = None
    # A comment or a blank is read over there, and would not be what the envelope names.
    if found is None or found.addr_spec != text:
        raise DeliveryError("the recipient or the sender is no mail address", permanent=permanent)
    return found


def blames_recipient(code: int, said: str) -> bool:
    """Whether a server that refuses a recipient speaks of him."""
    return code in BLAMES_RECIPIENT and not said.startswith(POLICY)


def qr_png(content: str) -> bytes:
    """A QR code as a picture that a telephone shows large enough for a scanner."""
    picture = io.BytesIO()
    segno.make(content, micro=False, error="m").save(picture, kind="png", scale=10)
    return picture.getvalue()


def smtp_channel(url: str) -> SmtpChannel:
    """The deployment's mail server, from its setting. Raises SettingsError.

    Form: smtp://user@host:587/?sender=service@example.org&password=env:MAIL_PASSWORD, or smtps://. With smtp://
    STARTTLS is required; a server on this computer may go without.
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
    starttls = "offered" if parsed.hostname in LOOPBACK else "starttls"
    return SmtpChannel(
        name="smtp",
        host=parsed.hostname,
        port=port or (465 if parsed.scheme == "smtps" else 25),
        sender=unquote(options["sender"]),
        encryption="tls" if parsed.scheme == "smtps" else starttls,
        user=unquote(parsed.username) if parsed.username else None,
        read_password=(lambda: read_secret(password).decode()) if password else None,
    )
