"""What no authenticator answers is refused like a passkey that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

SIGN_IN = "/t/alpha/staff/sign-in"


@pytest.mark.parametrize("credential", ["[" * 19_999, "", "null", "7", "{}", "[]", '{"id": "a", "rawId": 7}'])
async def test_nonsense_lets_nobody_in_and_is_no_fault_of_ours(here: Any, visit: Any, credential: str) -> None:
    assert (await visit.submit(SIGN_IN, f"{SIGN_IN}/passkey/begin")).status_code == 200
    answer = await visit.submit(SIGN_IN, f"{SIGN_IN}/passkey", credential=credential)
    assert answer.status_code in (403, 422)
    assert "sp_session=" not in answer.headers.get("set-cookie", "")
