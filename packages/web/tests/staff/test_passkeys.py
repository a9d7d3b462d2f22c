"""What no authenticator answers is refused like a passkey that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from servicepunkt.core.ids import new_id
from servicepunkt.core.people import store as accounts
from servicepunkt.web.passkeys import store
from servicepunkt.web.passkeys.model import Passkey

SIGN_IN = "/t/alpha/staff/sign-in"


@pytest.mark.parametrize("credential", ["[" * 19_999, "", "null", "7", "{}", "[]", '{"id": "a", "rawId": 7}'])
async def test_nonsense_lets_nobody_in_and_is_no_fault_of_ours(here: Any, visit: Any, credential: str) -> None:
    assert (await visit.submit(SIGN_IN, f"{SIGN_IN}/passkey/begin")).status_code == 200
    answer = await visit.submit(SIGN_IN, f"{SIGN_IN}/passkey", credential=credential)
    assert answer.status_code in (403, 422)
    assert "sp_session=" not in answer.headers.get("set-cookie", "")


async def test_a_passkey_is_one_towns(here: Any) -> None:
    async with here.deployment.database.tenant(here.alpha) as tx:
        clerk = await accounts.by_login(tx, "clerk")
        assert clerk is not None
        own = Passkey(
            id=new_id(), account=clerk.id, credential=b"c", public_key=b"k", sign_count=0, name="Key",
            created_at=tx.now(),
        )  # fmt: skip
        await store.insert(tx, own)
        await store.update(tx, own.id, name="My key")
    async with here.deployment.database.tenant(here.beta) as tx:
        assert await store.by_credential(tx, b"c") is None
        assert await store.of_account(tx, clerk.id) == []
        assert await store.accounts(tx) == set()
        await store.update(tx, own.id, name="Theirs")
        assert await store.delete(tx, clerk.id, own.id) == 0
        await store.delete_of_account(tx, clerk.id)
    async with here.deployment.database.tenant(here.alpha) as tx:
        assert [one.name for one in await store.of_account(tx, clerk.id)] == ["My key"]
        assert await store.accounts(tx) == {clerk.id}
        await store.delete_of_account(tx, clerk.id)
        assert await store.by_credential(tx, b"c") is None
