"""A whole eID service for tests: sessions are opened by useID, cards are read by PAOS, results are given by getResult.

    with PaosServer(listening, certificate) as paos:
        service = EidTestService(EidServer(...), paos, authorities, description)
        status, answer = service.answer(request)

It trusts its own test cards alone; **it is no eID service for anybody's data**.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from servicepunkt.eid.cvc import CertificateDescription
from servicepunkt.eid.groups import attributes_of
from servicepunkt.eid.model import Answers
from servicepunkt.eid.rights import Right, reading
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.eid_server import EidServer, Held
from servicepunkt.eid.testing.paos import PaosServer, Request, Result
from servicepunkt.eid.testing.terminal import AGE, COMMUNITY, auxiliary_data

#: Operation → data group.
GROUPS: Mapping[str, int] = {
    "DocumentType": 1, "IssuingState": 2, "DateOfExpiry": 3, "GivenNames": 4, "FamilyNames": 5, "ArtisticName": 6,
    "AcademicTitle": 7, "DateOfBirth": 8, "PlaceOfBirth": 9, "Nationality": 10, "BirthName": 13, "PlaceOfResidence": 17,
    "CommunityID": 18, "ResidencePermitI": 19,
}  # fmt: skip
COMPARED: Mapping[str, Right] = {
    "AgeVerification": Right.AGE_VERIFICATION,
    "PlaceVerification": Right.COMMUNITY_VERIFICATION,
}
YES = 0x9000


class EidTestService:
    """`server` answers the town, `paos` the AusweisApp; `description` is that of the terminal's certificate."""

    def __init__(
        self, server: EidServer, paos: PaosServer, authorities: Authorities, description: CertificateDescription
    ) -> None:
        self._server, self._paos, self._authorities = server, paos, authorities
        self._description = description
        self._terminal = authorities.terminal(extensions=(description.extension(),))
        self._conversations: dict[str, str] = {}
        server.opened = self._open

    def answer(self, request: bytes) -> tuple[int, bytes]:
        """As `EidServer.answer`, with what was read until now."""
        for session, name in self._conversations.items():
            conversation = self._paos.conversations[name]
            if session in self._server.sessions and conversation.result is not None:
                self._server.finish(session, attributes_of(conversation.result.groups), _answers(conversation.result))
            elif session in self._server.sessions and conversation.error is not None:
                self._server.refuse(session, "/common#internalError")
        return self._server.answer(request)

    def _open(self, session: str, held: Held) -> str:
        """The name by which the AusweisApp finds the session."""
        auxiliary: dict[int, bytes] = {}
        if held.age is not None:
            auxiliary[AGE] = _born_before(self._authorities.today, held.age)
        if held.community:
            auxiliary[COMMUNITY] = bytes.fromhex(held.community)
        name = self._paos.new_session(
            Request(
                terminal=self._terminal,
                chain=(self._authorities.country.certificate, self._authorities.verifier.certificate),
                description=self._description.encode(),
                csca=self._authorities.csca.certificate,
                required=_rights(held.operations, "REQUIRED"),
                optional=_rights(held.operations, "ALLOWED"),
                auxiliary=auxiliary_data(auxiliary) if auxiliary else b"",
                questions=tuple(sorted(auxiliary)),
                transaction=held.transaction,
            )
        )
        self._conversations[session] = name
        return name


def _rights(operations: Mapping[str, str], wish: str) -> frozenset[Right]:
    asked = {name for name, said in operations.items() if said == wish}
    return reading(*(GROUPS[name] for name in asked if name in GROUPS)) | {
        right for name, right in COMPARED.items() if name in asked
    }


def _born_before(today: date, age: int) -> bytes:
    """The last day on which somebody was born who is so old (TR-03110-4 §2.2.1)."""
    year = today.year - age
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return f"{year:04}{today.month:02}{day:02}".encode()


def _answers(result: Result) -> Answers:
    def said(question: int) -> bool | None:
        return result.answers[question] == YES if question in result.answers else None

    return Answers(old_enough=said(AGE), lives_there=said(COMMUNITY))
