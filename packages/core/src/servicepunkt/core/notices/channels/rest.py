"""One adapter for every provider with an HTTP interface; what differs between them is data (`profiles`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec

from servicepunkt.core.notices.channels import TIMEOUT_SECONDS
from servicepunkt.core.notices.channels.profiles import RestShape
from servicepunkt.core.notices.channels.requests import FAULTS
from servicepunkt.core.notices.model import DeliveryError, Message, is_reference

MAX_ANSWER = 64 * 1024
# The number or the text is not acceptable. Every other refusal speaks of us or of the provider, and another may do.
BLAMES_MESSAGE = frozenset({400, 422})


class RestChannel:
    """Sends by one request. `read_key` is asked at each message; `now` measures how long a message is of use."""

    kind = "sms"

    def __init__(
        self,
        *,
        name: str,
        url: str,
        shape: RestShape,
        sender: str,
        longest: timedelta,
        now: Callable[[], datetime],
        user: str = "",
        read_key: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self._url, self._shape, self._sender, self._user = url, shape, sender, user
        self._longest, self._now, self._read_key = longest, now, read_key

    async def send(self, message: Message) -> str:
        """The provider's reference. Raises DeliveryError, SecretError."""
        key = self._read_key() if self._read_key else ""
        try:
            async with (
                httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client,
                client.stream(
                    self._shape.method,
                    self._url,
                    headers=self._headers(key),
                    auth=(self._user, key) if self._shape.auth == "basic" else None,
                    **self._content(message, key),
                ) as answer,
            ):
                body = await _bounded(answer)
        except FAULTS as error:
            # The class alone: the text of an error may hold the address, and that the number.
            raise DeliveryError(f"the provider does not answer ({type(error).__name__})", permanent=False) from None
        return read_answer(self._shape, answer.status_code, body, own=message.reference)

    def _headers(self, key: str) -> dict[str, str]:
        match self._shape.auth:
            case "bearer":
                return {"Authorization": f"Bearer {key}", "Accept": "application/json"}
            case "header":
                return {self._shape.header: key, "Accept": "application/json"}
            case _:
                return {"Accept": "application/json"}

    def _content(self, message: Message, key: str) -> dict[str, Any]:
        values: dict[str, str | int] = {
            "to": message.recipient if self._shape.plus else message.recipient.removeprefix("+"),
            "text": message.text,
            "from": self._sender,
            "reference": message.reference,
            "minutes": minutes_left(message.until, self._now(), self._longest),
            "user": self._user,
            "key": key,
        }
        content = {**self._shape.fixed, **{theirs: values[ours] for ours, theirs in self._shape.fields.items()}}
        return {{"json": "json", "form": "data", "query": "params"}[self._shape.encoding]: content}


def minutes_left(until: datetime | None, now: datetime, longest: timedelta) -> int:
    """For how many minutes a message may be tried: until its last instant, at most what the provider takes."""
    left = longest if until is None else min(longest, until - now)
    return max(1, int(left / timedelta(minutes=1)))


def read_answer(shape: RestShape, status: int, body: bytes, *, own: str) -> str:
    """The provider's reference, or our own where it gives none. Raises DeliveryError."""
    if not 200 <= status < 300:
        raise DeliveryError(f"the provider answered {status}", permanent=status in BLAMES_MESSAGE)
    if not shape.id and not shape.result:
        return own
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DeliveryError("the provider's answer cannot be read", permanent=False) from None
    if shape.result:
        result = _at(answer, shape.result)
        if result not in shape.accepted:
            raise DeliveryError(f"the provider refused with {_printable(result)}", permanent=result in shape.refused)
    if not shape.id:
        return own
    reference = _at(answer, shape.id)
    # Without one it still has the message: a receipt will not be found, but sending again would double it.
    return reference if is_reference(reference) else own


def _at(answer: Any, path: str) -> str:
    """What stands at `path` (messages.0.id) as text; empty where nothing does."""
    for step in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(step)
        elif isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return ""
    return str(answer) if isinstance(answer, (str, int)) and not isinstance(answer, bool) else ""


def _printable(result: str) -> str:
    """A provider's code for the log, never a sentence: that could repeat the number."""
    return result if len(result) <= 5 and result.isascii() and result.isalnum() else "an unknown code"


async def _bounded(answer: httpx.Response) -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER:
            raise DeliveryError("the provider's answer is too long", permanent=False)
    return body
