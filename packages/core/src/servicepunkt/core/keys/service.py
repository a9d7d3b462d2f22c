"""The keyring of a deployment: seals and opens personal data of a case, and erases a case's key for good."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from uuid import UUID

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.ids import NIL
from servicepunkt.core.keys import model, store
from servicepunkt.core.keys.model import Randomness, UnreadableError


class Keyring:
    """Keys by purpose: `tenant`, `notice` and `signing` (key pairs) once per tenant, `case` once per case."""

    def __init__(self, master_key: bytes, randomness: Randomness) -> None:
        self._master = master_key
        self._randomness = randomness

    async def seal(self, tx: Transaction, case: UUID, plain: bytes, *, field: str) -> bytes:
        """Encrypt one field of a case; the case's key is made when it is missing."""
        key = await self._case_key(tx, case, make=True)
        return model.seal(key, plain, context=self._field(tx, case, field), randomness=self._randomness)

    async def unseal(self, tx: Transaction, case: UUID, sealed: bytes, *, field: str) -> bytes:
        """Raises UnreadableError, also when the case's key was erased."""
        key = await self._case_key(tx, case, make=False)
        return model.unseal(key, sealed, context=self._field(tx, case, field))

    async def erase(self, tx: Transaction, case: UUID) -> None:
        """Erase the case's key: what was sealed with it can never be read again."""
        if case == NIL:
            raise ValueError("the tenant's own keys are erased with the tenant")
        await store.erase(tx, case)

    async def opens(self, tx: Transaction) -> bool:
        """Whether the deployment's master key opens the tenant's own; also true while the tenant has none."""
        found = await store.find(tx, NIL, "tenant")
        try:
            return found is None or bool(model.unseal(self._master, found[0], context=self._key(tx, NIL, "tenant")))
        except UnreadableError:
            return False

    async def blind_index(self, tx: Transaction, value: str, *, field: str) -> bytes:
        """A keyed hash by which equal values of a tenant can be found, and nothing else can be learnt."""
        key = await self._tenant_key(tx)
        return hmac.digest(key, f"{field}\x1f{value}".encode(), "sha256")

    async def notice_public_key(self, tx: Transaction) -> bytes:
        """The public key to which secrets for the notice worker are sealed (raw X25519)."""
        return (await self._notice_pair(tx))[1]

    async def open_for_notice(self, tx: Transaction, sealed: bytes, *, context: str) -> bytes:
        """Raises UnreadableError."""
        return model.unseal_with((await self._notice_pair(tx))[0], sealed, context=context)

    async def signing_public_key(self, tx: Transaction) -> bytes:
        """The public key by which devices know what this tenant's centre says (raw Ed25519)."""
        return (await self._signing_pair(tx))[1]

    async def sign(self, tx: Transaction, message: bytes) -> bytes:
        """64 bytes; the message begins with what it is for, so that one signature serves no other purpose."""
        return model.sign((await self._signing_pair(tx))[0], message)

    async def _case_key(self, tx: Transaction, case: UUID, *, make: bool) -> bytes:
        wrapping = await self._tenant_key(tx)
        found = await store.find(tx, case, "case")
        if found is None and make:
            key = self._randomness(model.KEY_BYTES)
            wrapped = model.seal(wrapping, key, context=self._key(tx, case, "case"), randomness=self._randomness)
            await store.add(tx, case, "case", wrapped=wrapped, public=None)
            found = await store.find(tx, case, "case")
        if found is None:
            raise UnreadableError
        return model.unseal(wrapping, found[0], context=self._key(tx, case, "case"))

    async def _tenant_key(self, tx: Transaction) -> bytes:
        found = await store.find(tx, NIL, "tenant")
        context = self._key(tx, NIL, "tenant")
        if found is None:
            key = self._randomness(model.KEY_BYTES)
            wrapped = model.seal(self._master, key, context=context, randomness=self._randomness)
            await store.add(tx, NIL, "tenant", wrapped=wrapped, public=None)
            found = await store.find(tx, NIL, "tenant")
        if found is None:
            raise UnreadableError
        return model.unseal(self._master, found[0], context=context)

    async def _notice_pair(self, tx: Transaction) -> tuple[bytes, bytes]:
        return await self._pair(tx, "notice", model.new_key_pair)

    async def _signing_pair(self, tx: Transaction) -> tuple[bytes, bytes]:
        return await self._pair(tx, "signing", model.new_signing_pair)

    async def _pair(
        self, tx: Transaction, purpose: str, make: Callable[[], tuple[bytes, bytes]]
    ) -> tuple[bytes, bytes]:
        """The tenant's (private, public) keys for a purpose, made when they are first needed."""
        wrapping = await self._tenant_key(tx)
        context = self._key(tx, NIL, purpose)
        found = await store.find(tx, NIL, purpose)
        if found is None:
            private, public = make()
            wrapped = model.seal(wrapping, private, context=context, randomness=self._randomness)
            await store.add(tx, NIL, purpose, wrapped=wrapped, public=public)
            found = await store.find(tx, NIL, purpose)
        if found is None or found[1] is None:
            raise UnreadableError
        return model.unseal(wrapping, found[0], context=context), found[1]

    @staticmethod
    def _key(tx: Transaction, subject: UUID, purpose: str) -> str:
        return f"key/1|{tx.tenant_id}|{subject}|{purpose}"

    @staticmethod
    def _field(tx: Transaction, case: UUID, field: str) -> str:
        return f"field/1|{tx.tenant_id}|{case}|{field}"
