"""A small eID server for tests: TcToken and PAOS, without TLS-PSK ("attached"), on the loopback address.

`messages` are the XML, `conversation` is the order of the messages and what is done at the card, `server` is HTTPS. It
trusts its own test cards alone; **it is no eID server for anybody's data**.
"""

from servicepunkt.eid.testing.paos.conversation import Conversation, Request, Result
from servicepunkt.eid.testing.paos.server import PaosServer

__all__ = ["Conversation", "PaosServer", "Request", "Result"]
