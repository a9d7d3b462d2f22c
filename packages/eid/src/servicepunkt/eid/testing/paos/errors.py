"""What the test server refuses."""

from __future__ import annotations

from servicepunkt.eid.errors import EidError


class ServerError(EidError):
    """Base of what the servers for tests refuse."""

    code = "SP4280"
    sentence = "The eID server refused a message."


class MessageError(ServerError):
    """Not a message of this protocol; `why` says what is wrong."""

    code = "SP4281"
    sentence = "This is no PAOS message."


class OrderError(ServerError):
    """A message out of order, replayed, or of another session."""

    code = "SP4282"
    sentence = "This message does not belong here."


class ClientError(ServerError):
    """The client gave up; `minor` is its reason, without the address in front."""

    code = "SP4283"
    sentence = "The client ended the session."


class ProofError(ServerError):
    """What came from the card does not fit together."""

    code = "SP4284"
    sentence = "The card could not be trusted."
