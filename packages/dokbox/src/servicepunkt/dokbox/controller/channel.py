"""What the box and the centre say to each other over HTTPS, signed on both sides.

The first call of an enrolled box exchanges the keys; the box keeps the centre's, and from then on takes no answer that
this key has not signed. The centre keeps the box's for as long as the device is enrolled. The pinned key is read into
memory at the start, so that a failing disk does not stop the box from saying so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import msgspec

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.errors import SignatureError
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.vault import Vault
from servicepunkt.dokbox.vault.model import is_signed

META = "centre"
JSON = {"content-type": "application/json"}
MAX_ANSWER = 4 * 2**20  # bytes
NO_CONTENT, FORKED = 204, 409
REVOKED = "SP7003"  # web's DeviceRefusedError: the token is not known, or not any more


class RefusedByCentreError(Exception):
    """The centre answered, but not with what was asked for; `status` says how."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the centre answered {status}")


class RevokedError(RefusedByCentreError):
    """The centre has switched this computer off. It says so unsigned: it has no box any more to say it to."""


class ForkedError(RefusedByCentreError):
    """The centre knows another history of this box, and signed that it does."""


class Channel:
    """Calls by their purpose, at /api/v1/box/<purpose>.

    All raise httpx.HTTPError, RefusedByCentreError or SignatureError.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        journal: Journal,
        vault: Vault,
        *,
        randomness: Callable[[int], bytes],
    ) -> None:
        self._randomness = randomness
        self._client = client
        self._journal = journal
        self._vault = vault
        raw = journal.meta(META)
        self._centre = msgspec.json.decode(raw, type=wire.CentreKeys) if raw else None

    async def get(
        self,
        purpose: wire.Purpose,
        *,
        params: Mapping[str, int] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> httpx.Response:
        """A signed answer, or 304."""
        centre, nonce = await self._known(), self._nonce()
        answer = await self._client.get(
            f"/api/v1/box/{purpose}",
            params=dict(params or {}),
            headers={**(headers or {}), wire.NONCE: nonce},
            timeout=timeout,
        )
        return self._checked(purpose, centre, answer, nonce)

    async def post(self, purpose: wire.Purpose, message: wire.Strict) -> httpx.Response:
        """Say something; the answer is signed."""
        centre, nonce = await self._known(), self._nonce()
        body = msgspec.json.encode(message)
        said = wire.signed(purpose, tenant=centre.tenant, box=centre.box, body=body)
        headers = {**JSON, wire.SIGNATURE: self._vault.sign(said).hex(), wire.NONCE: nonce}
        answer = await self._client.post(f"/api/v1/box/{purpose}", content=body, headers=headers)
        return self._checked(purpose, centre, answer, nonce)

    @property
    def pepper_context(self) -> str:
        return wire.pepper_context(self._centre.tenant, self._centre.box) if self._centre else ""

    async def _known(self) -> wire.CentreKeys:
        if self._centre is None:
            body = msgspec.json.encode(wire.BoxKeys(signing_key=self._vault.signing_key.hex()))
            answer = await self._client.post("/api/v1/box/keys", content=body, headers=JSON)
            if answer.status_code != 200:
                raise refusal(answer)
            centre = msgspec.json.decode(answer.content, type=wire.CentreKeys)
            with self._journal.transaction():
                self._journal.put_meta(META, msgspec.json.encode(centre))
            self._centre = centre
        return self._centre

    def _nonce(self) -> str:
        return self._randomness(16).hex()

    def _checked(
        self, purpose: wire.Purpose, centre: wire.CentreKeys, answer: httpx.Response, nonce: str
    ) -> httpx.Response:
        if answer.status_code == 304:
            return answer
        if answer.status_code not in (200, NO_CONTENT, FORKED):
            raise refusal(answer)
        if len(answer.content) > MAX_ANSWER:
            raise SignatureError(reason="the answer is too long")
        said = wire.signed(purpose, tenant=centre.tenant, box=centre.box, body=answer.content, nonce=nonce)
        signature = answer.headers.get(wire.SIGNATURE, "")
        silent = answer.status_code == NO_CONTENT
        if not silent and not is_signed(bytes.fromhex(centre.signing_key), signature, said):
            raise SignatureError(purpose=purpose)
        if answer.status_code == FORKED:
            raise ForkedError(FORKED)
        return answer


class _Problem(msgspec.Struct):
    code: str = ""


def refusal(answer: httpx.Response) -> RefusedByCentreError:
    """What an answer that is not the wanted one means."""
    try:
        code = msgspec.json.decode(answer.content[:MAX_ANSWER], type=_Problem).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        code = ""
    kind = RevokedError if answer.status_code == 403 and code == REVOKED else RefusedByCentreError
    return kind(answer.status_code)
