"""The TcToken: what an AusweisApp fetches first, and by which it finds the eID server (TR-03124-1 §2.4, §2.6)."""

from __future__ import annotations

from xml.sax.saxutils import escape

from servicepunkt.eid.service.model import Session

MEDIA_TYPE = "text/xml; charset=utf-8"
BINDING = "urn:liberty:paos:2006-08"
#: TLS with a key that both sides know (RFC 4279).
PSK_PROTOCOL = "urn:ietf:rfc:4279"


def tc_token(opened: Session, *, server: str, refresh: str, error: str, has_psk: bool) -> bytes:
    """The XML. `server`: the address of the eID server; `refresh` and `error`: where the browser goes afterwards.

    With `has_psk` it holds the key of the channel: it is for the AusweisApp alone and kept nowhere.
    """
    key = (
        f"<PathSecurity-Protocol>{PSK_PROTOCOL}</PathSecurity-Protocol>"
        f"<PathSecurity-Parameters><PSK>{opened.psk.hex().upper()}</PSK></PathSecurity-Parameters>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><TCTokenType>'
        f"<ServerAddress>{escape(server)}</ServerAddress>"
        f"<SessionIdentifier>{escape(opened.psk_id or opened.id)}</SessionIdentifier>"
        f"<RefreshAddress>{escape(refresh)}</RefreshAddress>"
        f"<CommunicationErrorAddress>{escape(error)}</CommunicationErrorAddress>"
        f"<Binding>{BINDING}</Binding>{key if has_psk else ''}</TCTokenType>"
    ).encode()
