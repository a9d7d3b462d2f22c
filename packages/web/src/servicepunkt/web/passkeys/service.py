"""Make a passkey, show one, remove one. What authenticators say is judged by the library webauthn."""

from __future__ import annotations

from uuid import UUID

import webauthn
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.ids import NIL, new_id
from servicepunkt.core.metrics import SIGN_INS
from servicepunkt.core.people import model as people_model
from servicepunkt.core.people import store as people
from servicepunkt.core.people.model import Account
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.passkeys import store
from servicepunkt.web.passkeys.model import MAX_PASSKEYS, Assertion, Passkey, PasskeyRefusedError, Place, Registration

CHALLENGE_BYTES = 32
#: What the library raises for an answer that no authenticator gave; nested deeply enough, JSON ends the recursion.
UNREADABLE = (WebAuthnException, ValueError, TypeError, KeyError, RecursionError)


async def begin_registration(
    deployment: Deployment, ctx: TenantContext, account: Account, *, name: str, place: Place
) -> tuple[Registration, str]:
    """(what to remember, options for the browser as JSON). Raises PasskeyRefusedError where there are enough."""
    async with deployment.database.tenant(ctx) as tx:
        present = await store.of_account(tx, account.id)
    if len(present) >= MAX_PASSKEYS:
        raise PasskeyRefusedError("there are enough passkeys of this account")
    made = Registration(account=account.id, challenge=deployment.randomness(CHALLENGE_BYTES), name=name)
    options = webauthn.generate_registration_options(
        rp_id=place.rp_id,
        rp_name=ctx.name,
        user_id=account.id.bytes,
        user_name=account.login,
        user_display_name=account.name,
        challenge=made.challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential) for one in present],
    )
    return made, webauthn.options_to_json(options)


async def register(
    deployment: Deployment, ctx: TenantContext, begun: Registration, *, answer: str, place: Place
) -> None:
    """Keep a new passkey. Raises PasskeyRefusedError."""
    try:
        found = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=begun.challenge,
            expected_rp_id=place.rp_id,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except UNREADABLE:
        raise PasskeyRefusedError from None
    made = Passkey(
        id=new_id(),
        account=begun.account,
        credential=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        name=begun.name,
        created_at=deployment.clock.now(),
    )
    async with deployment.database.tenant(ctx) as tx:
        # Several may have been begun at once.
        await tx.lock(f"passkeys:{begun.account}")
        if len(await store.of_account(tx, begun.account)) >= MAX_PASSKEYS:
            raise PasskeyRefusedError("there are enough passkeys of this account")
        if await store.by_credential(tx, made.credential) is not None:
            raise PasskeyRefusedError
        await store.insert(tx, made)
        subject = f"account:{begun.account}"
        await audit.record(tx, at=tx.now(), actor=subject, action="account.passkey_add", subject=subject)


def begin_sign_in(deployment: Deployment, place: Place) -> tuple[Assertion, str]:
    """(what to remember, options for the browser as JSON): it offers the passkeys that it has for this place."""
    begun = Assertion(challenge=deployment.randomness(CHALLENGE_BYTES))
    options = webauthn.generate_authentication_options(
        rp_id=place.rp_id, challenge=begun.challenge, user_verification=UserVerificationRequirement.REQUIRED
    )
    return begun, webauthn.options_to_json(options)


async def sign_in(
    deployment: Deployment, ctx: TenantContext, begun: Assertion, *, answer: str, place: Place
) -> Account:
    """The account of a passkey that was shown. Raises PasskeyRefusedError, in the same words for every reason."""
    async with deployment.database.tenant(ctx) as tx:
        account = await _shown(tx, begun, answer, place)
        subject = f"account:{account.id if account else NIL}"
        action = "account.sign_in" if account else "account.sign_in_refused"
        await audit.record(tx, at=tx.now(), actor=subject if account else "anonymous", action=action, subject=subject)
    SIGN_INS.labels(outcome="accepted" if account else "refused").inc()
    if account is None:
        raise PasskeyRefusedError
    return account


async def _shown(tx: Transaction, begun: Assertion, answer: str, place: Place) -> Account | None:
    try:
        credential = parse_authentication_credential_json(answer)
        known = await store.by_credential(tx, credential.raw_id)
        if known is None or credential.response.user_handle != known.account.bytes:
            return None
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=begun.challenge,
            expected_rp_id=place.rp_id,
            expected_origin=place.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=known.sign_count,
            require_user_verification=True,
        )
    except UNREADABLE:
        return None
    account = await people.by_id(tx, known.account)
    if account is None or not people_model.has_password(account):
        return None
    await store.update(tx, known.id, sign_count=found.new_sign_count, used_at=tx.now())
    return account


async def remove(deployment: Deployment, ctx: TenantContext, account: Account, passkey_id: UUID) -> None:
    """Raises NotFoundError for one that is not this account's."""
    async with deployment.database.tenant(ctx) as tx:
        if not await store.delete(tx, account.id, passkey_id):
            raise NotFoundError
        subject = f"account:{account.id}"
        await audit.record(tx, at=tx.now(), actor=subject, action="account.passkey_remove", subject=subject)
