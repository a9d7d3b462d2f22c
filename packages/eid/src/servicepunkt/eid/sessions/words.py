"""What a page says of an identification: the names of what is asked for, and why something was refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from servicepunkt.eid.wallet.errors import (
    AnsweredError,
    AnswerError,
    DeclinedError,
    FetchedError,
    LateError,
    OtherTerminalError,
    OutdatedError,
    OutOfOrderError,
    RevokedError,
    StatusError,
    UntrustedError,
    WrongStateError,
)

#: `core.identification.ATTRIBUTES`, each as an English message id.
ATTRIBUTES: Mapping[str, str] = {
    "given_names": "Given names",
    "family_names": "Family name",
    "birth_name": "Name at birth",
    "artistic_name": "Religious or artistic name",
    "doctoral_degree": "Doctoral degree",
    "date_of_birth": "Date of birth",
    "place_of_birth": "Place of birth",
    "nationality": "Nationality",
    "sex": "Sex",
    "address": "Home address",
    "community_id": "Number of your municipality",
    "residence_permit": "Residence permit",
    "document_type": "Kind of document",
    "issuing_country": "Issuing country",
    "valid_until": "Valid until",
    "pseudonym": "A pseudonym for this service alone",
    "email": "E-mail address",
    "phone": "Telephone number",
}
ANOTHER_WAY = "Please choose another way."
FOR_YOUR_PROTECTION = "For your protection nothing was passed on. Begin again with a new code."
SEEN_TWICE = ("This code was used twice.", FOR_YOUR_PROTECTION)
#: By the code of what was refused, what happened and what to do.
REFUSALS: Mapping[str, tuple[str, str]] = {
    UntrustedError.code: ("Whoever issued the ID in your wallet is not known here.", ANOTHER_WAY),
    OutdatedError.code: (
        "The ID in your wallet is not valid at present.",
        "Open your wallet, so that it fetches a new one, and begin again.",
    ),
    RevokedError.code: ("The ID in your wallet was revoked.", ANOTHER_WAY),
    StatusError.code: (
        "We could not find out whether the ID in your wallet still counts.",
        "Please try again later, or choose another way.",
    ),
    AnswerError.code: (
        "Your wallet did not send what was asked for.",
        "Begin again, or choose another way. Nothing was passed on.",
    ),
    DeclinedError.code: (
        "You have declined in your wallet.",
        "Nothing was passed on. You can begin again, or choose another way.",
    ),
    LateError.code: ("The time is over.", "Begin again with a new code."),
    FetchedError.code: SEEN_TWICE,
    AnsweredError.code: SEEN_TWICE,
    WrongStateError.code: SEEN_TWICE,
    OutOfOrderError.code: SEEN_TWICE,
    OtherTerminalError.code: ("This identification was opened somewhere else.", FOR_YOUR_PROTECTION),
}
REFUSED = (
    "What your wallet sent could not be accepted.",
    "Begin again. If it happens once more, please choose another way.",
)


def refusal(code: str) -> tuple[str, str]:
    """(what happened, what to do) as English message ids."""
    return REFUSALS.get(code, REFUSED)
