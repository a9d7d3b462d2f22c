"""The query for documents and claims: DCQL of OpenID4VP 1.0 §6 and §7, the query for a PID, and what answers it. Pure.

query = pid_query(Ask(required=("given_names", "family_names"), optional=("address",)))
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, Self

import msgspec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet import attributes, jose
from servicepunkt.eid.wallet.attributes import PID, Ask
from servicepunkt.eid.wallet.errors import AnswerError

SD_JWT, MDOC = "dc+sd-jwt", "mso_mdoc"
MOST_BYTES = 65_536
MOST_LEVELS = 16
WHAT = "DCQL"

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
#: A name in an object, an index of an array, or None for all of its elements (§7).
Step = str | Annotated[int, msgspec.Meta(ge=0)] | None


class ClaimsQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A claim by its path (§6.3). `values`: a wish for certain values, on which nobody may rely."""

    path: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1, max_length=MOST_LEVELS)]
    id: Name | None = None
    values: tuple[str | int | bool, ...] | None = None
    intent_to_retain: bool | None = None


class CredentialQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document by its format and type, with the claims that are wanted of it (§6.1)."""

    id: Name
    format: str
    meta: dict[str, Any]
    claims: tuple[ClaimsQuery, ...] = ()
    claim_sets: tuple[tuple[Name, ...], ...] = ()
    multiple: bool = False
    require_cryptographic_holder_binding: bool = True
    trusted_authorities: tuple[dict[str, Any], ...] = ()

    @property
    def alternatives(self) -> tuple[tuple[ClaimsQuery, ...], ...]:
        """The sets of claims of which one is enough, the preferred first."""
        if not self.claim_sets:
            return (self.claims,)
        by_id = {claim.id: claim for claim in self.claims}
        return tuple(tuple(by_id[name] for name in names) for names in self.claim_sets)


class CredentialSetQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which documents are enough (§6.2): one of the options, each a set of ids."""

    options: tuple[tuple[Name, ...], ...]
    required: bool = True


class Query(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a verifier asks for (§6). Written and read as JSON."""

    credentials: tuple[CredentialQuery, ...]
    credential_sets: tuple[CredentialSetQuery, ...] = ()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises MalformedError for what is no query, for ids that are there twice, and ids that are not there."""
        table = jose.read_object(data, WHAT, MOST_BYTES)
        try:
            found = msgspec.convert(table, cls)
        except msgspec.ValidationError:
            raise MalformedError(what=WHAT, why="no query") from None
        found._check()
        return found

    def _check(self) -> None:
        known = _unique(one.id for one in self.credentials)
        if not known:
            raise MalformedError(what=WHAT, why="nothing is asked for")
        for one in self.credentials:
            claims = _unique(claim.id for claim in one.claims if claim.id is not None)
            _known(one.claim_sets, claims)
        for group in self.credential_sets:
            if not group.options:
                raise MalformedError(what=WHAT, why="a choice without options")
            _known(group.options, known)

    def check_answered(self, answered: Collection[str]) -> None:
        """Whether these documents are what was asked for (§6.4.2). Raises AnswerError."""
        if unknown := set(answered) - {one.id for one in self.credentials}:
            raise AnswerError(what="a document that nobody asked for", count=len(unknown))
        if not self.credential_sets:
            complete = len(set(answered)) == len(self.credentials)
        else:
            complete = all(
                any(set(option) <= set(answered) for option in group.options)
                for group in self.credential_sets
                if group.required
            )
        if not complete:
            raise AnswerError(what="a document is missing")


def _unique(ids: Iterable[str]) -> set[str]:
    listed = list(ids)
    if len(set(listed)) != len(listed):
        raise MalformedError(what=WHAT, why="an id that is there twice")
    return set(listed)


def _known(sets: Iterable[Collection[str]], ids: set[str]) -> None:
    for names in sets:
        if not names or not ids.issuperset(names):
            raise MalformedError(what=WHAT, why="an id that is not there")


def select(claims: object, path: Sequence[Step]) -> list[Any]:
    """The claims at a path (§7.1); none where there is none.

    Raises AnswerError where a name meets what is no object, or an index what is no array.
    """
    found = [claims]
    for step in path:
        found = [value for one in found for value in _step(one, step)]
    return found


def _step(value: object, step: Step) -> Sequence[Any]:
    if isinstance(step, str):
        if not isinstance(value, Mapping):
            raise AnswerError(what="no object at a path")
        return [value[step]] if step in value else []
    if not isinstance(value, list | tuple):
        raise AnswerError(what="no array at a path")
    return value if step is None else value[step : step + 1]


def check_claims(query: CredentialQuery, claims: Mapping[str, Any]) -> None:
    """Whether one of the sets of claims is there. Raises AnswerError."""
    for wanted in query.alternatives:
        if all(select(claims, claim.path) for claim in wanted):
            return
    raise AnswerError(what="a claim is missing")


def pid_query(ask: Ask, formats: Collection[str] = (SD_JWT, MDOC)) -> Query:
    """A query for the PID in one of these formats. Raises ValueError for another format."""
    if not formats or not {SD_JWT, MDOC}.issuperset(formats):
        raise ValueError("a PID is dc+sd-jwt or mso_mdoc")
    credentials = tuple(_PIDS[one](ask) for one in (SD_JWT, MDOC) if one in formats)
    if len(credentials) == 1:
        return Query(credentials=credentials)
    choice = CredentialSetQuery(options=tuple((one.id,) for one in credentials))
    return Query(credentials=credentials, credential_sets=(choice,))


def _sdjwt_pid(ask: Ask) -> CredentialQuery:
    paths = {name: PID[name].claims for name in _wanted(ask)}
    age = attributes.age_claim(ask.age) if ask.age and _asks_age(ask) else ()
    return _credential("pid_sdjwt", SD_JWT, {"vct_values": list(attributes.VCTS)}, ask, paths, age)


def _mdoc_pid(ask: Ask) -> CredentialQuery:
    space = attributes.NAMESPACE
    paths = {name: tuple((space, element) for element in PID[name].elements) for name in _wanted(ask)}
    age = (space, attributes.age_element(ask.age)) if ask.age and _asks_age(ask) else ()
    return _credential("pid_mdoc", MDOC, {"doctype_value": attributes.DOCTYPE}, ask, paths, age)


_PIDS = {SD_JWT: _sdjwt_pid, MDOC: _mdoc_pid}


def _wanted(ask: Ask) -> tuple[str, ...]:
    names = ask.required + ask.optional
    return names if ask.age is None or "date_of_birth" in names else (*names, "date_of_birth")


def _credential(
    name: str,
    format: str,  # noqa: A002  the standard's word
    meta: dict[str, Any],
    ask: Ask,
    paths: Mapping[str, tuple[tuple[str, ...], ...]],
    age: tuple[str, ...],
) -> CredentialQuery:
    claims = {f"{attribute}_{number}": path for attribute, found in paths.items() for number, path in enumerate(found)}
    if age:
        claims["age"] = age
    sets = tuple(tuple(one for one in claims if one.rpartition("_")[0] in chosen) for chosen in _choices(ask))
    listed = tuple(ClaimsQuery(id=one, path=path) for one, path in claims.items())
    return CredentialQuery(id=name, format=format, meta=meta, claims=listed, claim_sets=sets if len(sets) > 1 else ())


def _asks_age(ask: Ask) -> bool:
    """A date of birth that is needed anyway says it, too."""
    return ask.age is not None and "date_of_birth" not in ask.required


def _choices(ask: Ask) -> list[set[str]]:
    """Sets of attributes, the most first; an age by itself before a date of birth."""
    found = []
    for count in range(len(ask.optional), -1, -1):
        for some in combinations(ask.optional, count):
            chosen = {*ask.required, *some}
            found += [chosen | {""}, chosen | {"date_of_birth"}] if _asks_age(ask) else [chosen]
    return found
