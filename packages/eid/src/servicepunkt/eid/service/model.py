"""What is asked of an eID service, and what it answers (TR-03130-1, version 2.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Answers, Attributes, Identity, Level, Masked

Wish = Literal["REQUIRED", "ALLOWED", "PROHIBITED"]
Said = Literal["ALLOWED", "PROHIBITED", "NOTONCHIP"]
#: Operations of the standard, in the order of its schema, and our attribute; nothing for those that are no attribute.
OPERATIONS: Mapping[str, str] = {
    "DocumentType": "document_type",
    "IssuingState": "issuing_country",
    "DateOfExpiry": "valid_until",
    "GivenNames": "given_names",
    "FamilyNames": "family_names",
    "ArtisticName": "artistic_name",
    "AcademicTitle": "doctoral_degree",
    "DateOfBirth": "date_of_birth",
    "PlaceOfBirth": "place_of_birth",
    "Nationality": "nationality",
    "BirthName": "birth_name",
    "PlaceOfResidence": "address",
    "CommunityID": "community_id",
    "ResidencePermitI": "residence_permit",
    "RestrictedID": "pseudonym",
    "AgeVerification": "",
    "PlaceVerification": "",
}
#: The spellings are those of the standard, half German.
LEVELS: Mapping[str, Level] = {
    "http://bsi.bund.de/eID/LoA/undefined": Level.NONE,
    "http://bsi.bund.de/eID/LoA/normal": Level.LOW,
    "http://bsi.bund.de/eID/LoA/substantiell": Level.SUBSTANTIAL,
    "http://bsi.bund.de/eID/LoA/hoch": Level.HIGH,
    "http://eidas.europa.eu/LoA/low": Level.LOW,
    "http://eidas.europa.eu/LoA/substantial": Level.SUBSTANTIAL,
    "http://eidas.europa.eu/LoA/high": Level.HIGH,
}
MAJOR = "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#"
MINOR = "http://www.bsi.bund.de/eid/server/2.0/resultminor"
MOST_AGE = 199


class ServiceError(EidError):
    """The eID service refused; `minor` is the end of its own code."""

    code = "SP4210"
    sentence = "The eID service refused the request."


class NotYetError(ServiceError):
    """The person has not finished: ask again, with the next number."""

    code = "SP4211"
    sentence = "There is no result yet."


class SessionGoneError(ServiceError):
    """Unknown, ended, or asked for a second time: a result is given out once."""

    code = "SP4212"
    sentence = "The session at the eID service has ended."


class DocumentRefusedError(ServiceError):
    """The card is expired, revoked, or of a kind that is not accepted."""

    code = "SP4213"
    sentence = "The eID service does not accept this card."


class BusyError(ServiceError):
    code = "SP4214"
    sentence = "The eID service has too many sessions open."


class RightsError(ServiceError):
    """The town's certificate does not allow what is asked for."""

    code = "SP4215"
    sentence = "The certificate at the eID service does not allow this question."


class UnreachableError(ServiceError):
    code = "SP4216"
    sentence = "The eID service cannot be reached."


#: The end of the minor code → what it means.
REFUSALS: Mapping[str, type[ServiceError]] = {
    "/getResult#noResultYet": NotYetError,
    "/getResult#invalidSession": SessionGoneError,
    "/getResult#invalidCounter": SessionGoneError,
    "/getResult#deniedDocument": DocumentRefusedError,
    "/getResult#invalidDocument": DocumentRefusedError,
    "/useID#tooManyOpenSessions": BusyError,
    "/useID#missingTerminalRights": RightsError,
}


class UseId(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. An operation that is not named is prohibited. The level is asked for, so that the answer says it:
    one of which nothing is said is none.

    `age`: the person is to be so old, in years; `community`: lives where the key begins so (digits: 0276 and further).
    """

    operations: Mapping[str, Wish]
    age: int | None = None
    community: str = ""
    level: Level = Level.HIGH
    transaction: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for what the standard does not know, and for a comparison without its value."""
        if unknown := sorted(set(self.operations) - set(OPERATIONS)):
            raise ValueError(f"no operation: {', '.join(unknown)}")
        if self._asked("AgeVerification") != (self.age is not None) or not 0 <= (self.age or 0) <= MOST_AGE:
            raise ValueError("the age and the operation AgeVerification go together")
        if self._asked("PlaceVerification") != bool(self.community) or not (self.community or "0").isdigit():
            raise ValueError("the community and the operation PlaceVerification go together")

    def _asked(self, operation: str) -> bool:
        return self.operations.get(operation, "PROHIBITED") != "PROHIBITED"


class Session(Masked, frozen=True, kw_only=True):
    """What the service opened. `psk`: the key of the channel between client and service; it goes into the TcToken of a
    service that is not attached, and into nothing else."""

    id: str
    psk_id: str = ""
    psk: bytes = b""


class Result(Masked, frozen=True, kw_only=True):
    """What the service has read, and what of it the person allowed."""

    attributes: Attributes = Attributes()
    answers: Answers = Answers()
    allowed: Mapping[str, Said] = {}
    level: Level = Level.NONE

    def identity(self, session: Session, at: datetime) -> Identity:
        """The identity, with the session as proof."""
        return Identity(
            origin="card",
            level=self.level,
            at=at,
            proof=session.id,
            attributes=self.attributes,
            answers=self.answers,
        )


def refusal(major: str, minor: str) -> ServiceError:
    """The error of a result that is not ok."""
    end = minor.removeprefix(MINOR)
    return REFUSALS.get(end, ServiceError)(minor=end[:80] or major.removeprefix(MAJOR)[:80])
