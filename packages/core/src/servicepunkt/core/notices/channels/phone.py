"""The rehearsal telephone: shows SMS on a page of the demonstration instead of sending them."""

from __future__ import annotations

import httpx

from servicepunkt.core.notices.channels import TIMEOUT_SECONDS
from servicepunkt.core.notices.channels.requests import FAULTS
from servicepunkt.core.notices.model import DeliveryError, Message

# Too late, too early, too much: the request itself is in order.
COME_BACK_LATER = frozenset({408, 425, 429})


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
        except FAULTS as error:
            raise DeliveryError(
                f"the rehearsal telephone does not answer ({type(error).__name__})", permanent=False
            ) from None
        if answer.status_code >= 400:
            raise DeliveryError(
                f"the rehearsal telephone refused the message ({answer.status_code})",
                permanent=answer.status_code < 500 and answer.status_code not in COME_BACK_LATER,
            )
        return message.reference
