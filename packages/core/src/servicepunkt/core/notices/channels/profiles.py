"""REST providers as data: what a request looks like, what an answer means, how a receipt is proven. Pure.

Sources: docs.seven.io (endpoints/sms, webhooks, signing), doc.lox24.eu (POST /sms, webhook sms.delivery, DLR codes),
sipgate's REST API v2 (/sessions/sms). `generic` is our own shape, for gateways that can be told what to send.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servicepunkt.core.notices.model import REFERENCE, Outcome, Receipt
from servicepunkt.core.rules import Broken, rule

Word = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00-\x1f]*\Z")]
Identifier = Annotated[str, Meta(pattern=REFERENCE)] | Annotated[int, Meta(ge=0, le=2**63 - 1)]
Stamp = Annotated[str, Meta(max_length=60)]
# What a request can carry, by our names.
GENERIC_FIELDS = {name: name for name in ("to", "text", "from", "reference", "minutes")}
FIELDS = frozenset({*GENERIC_FIELDS, "user", "key"})

UNKNOWN_FIELDS = rule("SP1131", "unknown are {names}")
MISSING_FIELDS = rule("SP1132", "{names} missing")
GET_IS_QUERY = rule("SP1133", "a GET carries a query")
KEY_IN_FIELDS = rule("SP1134", "fields says that the key is one of the fields")
RESULT_AND_ACCEPTED = rule("SP1135", "it needs accepted, and accepted needs it")


class RestShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a message becomes a request, and what the answer says.

    `fields` maps our names (to, text, from, reference, minutes, user, key) to the provider's; `fixed` is sent as it
    stands. `auth` is how the key is shown: bearer, basic (with the user), header (named `header`), fields, or none.
    `id` and `result` are paths into a JSON answer (messages.0.id); without `id` our own reference is the provider's.
    Of the results only `accepted` are a success where they are named; those in `refused` blame the recipient.
    """

    method: Literal["POST", "GET"] = "POST"
    encoding: Literal["json", "form", "query"] = "json"
    auth: Literal["bearer", "basic", "header", "fields", "none"] = "bearer"
    header: Word = "X-Api-Key"
    fields: Mapping[Word, Word] = msgspec.field(default_factory=lambda: dict(GENERIC_FIELDS))
    fixed: Mapping[Word, Word] = {}
    plus: bool = True
    id: Word = "id"
    result: Word = ""
    accepted: tuple[Word, ...] = ()
    refused: tuple[Word, ...] = ()

    def mistakes(self) -> Iterator[tuple[str, Broken]]:
        """What does not fit together."""
        if unknown := sorted(set(self.fields) - FIELDS):
            yield "fields", UNKNOWN_FIELDS(names=", ".join(unknown))
        if missing := sorted({"to", "text"} - set(self.fields)):
            yield "fields", MISSING_FIELDS(names=", ".join(missing))
        if self.method == "GET" and self.encoding != "query":
            yield "encoding", GET_IS_QUERY()
        if (self.auth == "fields") != ("key" in self.fields):
            yield "auth", KEY_IN_FIELDS()
        if bool(self.result) != bool(self.accepted):
            yield "result", RESULT_AND_ACCEPTED()


class GenericReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a gateway of the generic shape posts; signed, see `signing`."""

    id: Identifier
    status: Literal["sent", "delivered", "temporary-failure", "permanent-failure"]

    def receipt(self) -> Receipt:
        return Receipt(str(self.id), self.status)


class SevenData(msgspec.Struct, frozen=True):
    msg_id: Identifier
    status: Annotated[str, Meta(max_length=40)]
    timestamp: Stamp = ""


class SevenReceipt(msgspec.Struct, frozen=True):
    """seven.io's webhook of type dlr."""

    data: SevenData
    webhook_event: Literal["dlr"]
    webhook_timestamp: Stamp = ""

    def receipt(self) -> Receipt:
        return Receipt(str(self.data.msg_id), SEVEN_STATUS.get(self.data.status.upper(), "sent"))


class Lox24Data(msgspec.Struct, frozen=True):
    id: Identifier
    dlr_code: Literal[0, 1, 2, 4, 8, 16]


class Lox24Receipt(msgspec.Struct, frozen=True):
    """LOX24's webhook, and the one of its dry run."""

    name: Literal["sms.delivery", "sms.delivery.dryrun"]
    data: Lox24Data

    def receipt(self) -> Receipt:
        return Receipt(str(self.data.id), LOX24_STATUS[self.data.dlr_code])


# An unknown word changes nothing: the message counts as on its way until a word is understood.
SEVEN_STATUS: Mapping[str, Outcome] = {
    "DELIVERED": "delivered",
    "NOTDELIVERED": "permanent-failure",
    "REJECTED": "permanent-failure",
    "FAILED": "permanent-failure",
    "EXPIRED": "temporary-failure",
    "ACCEPTED": "sent",
    "BUFFERED": "sent",
    "TRANSMITTED": "sent",
}
LOX24_STATUS: Mapping[int, Outcome] = {
    0: "sent",
    1: "delivered",
    2: "sent",
    4: "sent",
    8: "temporary-failure",
    16: "permanent-failure",
}
ReceiptKind = type[GenericReceipt] | type[SevenReceipt] | type[Lox24Receipt]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A provider: `receipts` is the schema of its webhook, `proof` how one is proven (a signature or a token)."""

    shape: RestShape
    url: str = ""
    receipts: ReceiptKind | None = None
    proof: Literal["hmac", "seven", "token"] = "token"


PROFILES: Mapping[str, Profile] = {
    "generic": Profile(shape=RestShape(), receipts=GenericReceipt, proof="hmac"),
    "seven": Profile(
        url="https://gateway.seven.io/api/sms",
        shape=RestShape(
            auth="header",
            header="X-Api-Key",
            fields={"to": "to", "text": "text", "from": "from", "minutes": "ttl", "reference": "foreign_id"},
            id="messages.0.id",
            result="success",
            accepted=("100",),
            refused=("201", "202"),
        ),
        receipts=SevenReceipt,
        proof="seven",
    ),
    "sipgate": Profile(
        url="https://api.sipgate.com/v2/sessions/sms",
        # The sender is the id of a web SMS extension (s0); nothing says later what became of a message.
        shape=RestShape(auth="basic", fields={"to": "recipient", "text": "message", "from": "smsId"}, id=""),
    ),
    "lox24": Profile(
        url="https://api.lox24.eu/sms",
        shape=RestShape(
            auth="header",
            header="X-LOX24-AUTH-TOKEN",
            fields={"to": "phone", "text": "text", "from": "sender_id", "reference": "callback_data"},
            fixed={"service_code": "direct"},
            id="uuid",
        ),
        receipts=Lox24Receipt,
        proof="token",
    ),
}
