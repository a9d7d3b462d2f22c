"""Section [notices] of a tenant file: providers, limits, rehearsal, and what can be wrong with them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from servicepunkt.core.errors import SecretError
from servicepunkt.core.mail import ADDRESS, LABEL
from servicepunkt.core.notices.channels.profiles import PROFILES, RestShape
from servicepunkt.core.phone import NumberRefused, mobile_number
from servicepunkt.core.rules import rule
from servicepunkt.core.secrets import tenant_prefix, tenant_secret

#: Ways of the house that need no provider: the rehearsal telephone takes mail as well.
BUILTIN = frozenset({("phone", "sms"), ("phone", "email"), ("smtp", "email")})
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,30}\Z")]
Weight = Annotated[int, Meta(ge=1, le=100)]
HostName = Annotated[str, Meta(min_length=1, max_length=253)]
PortNumber = Annotated[int, Meta(ge=1, le=65535)]
# SMPP's C-octet strings are ASCII (3.4, 3.1).
PRINTABLE = r"^[\x20-\x7e]*\Z"
Short = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f]*\Z")]
# A number that can be answered, or up to eleven letters that cannot (3GPP TS 23.040, 9.1.2.5).
SENDER = re.compile(r"^(\+?[1-9]\d{2,14}|(?=.*[A-Za-z])[A-Za-z0-9 .&-]{1,11})\Z")
# Labels between single dots (RFC 1123, 2.1), or an address of IPv6.
HOST = re.compile(rf"^(?:(?=[^:]{{1,253}}\Z){LABEL}(?:\.{LABEL})*|(?=.*:.*:)[0-9A-Fa-f:.]{{2,45}})\Z")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Mistake = tuple[str, str]

NO_COUNTRY = rule("SP1101", "{code!r} is no country code", "Two capital letters, such as DE.")
COUNTRY_NEEDED = rule("SP1102", "at least one country is needed")
NAME_TAKEN = rule("SP1103", "this name is taken")
HOUSE_NAME = rule("SP1104", "this name is the house's own")
NAMES_ONCE = rule("SP1105", "one to eight names stand here, each once")
NO_PROVIDER = rule("SP1106", "there is no provider {name!r} for {kind}", "It is declared in [[notices.provider]].")
UNUSED = rule("SP1107", "neither sms nor email names it")
NUMBER_AS_SENT = rule("SP1108", "a number is written with + and without spaces")
MISSING = rule("SP1109", "it is missing")
TLS_NEEDED = rule("SP1110", "a mail server elsewhere needs tls or starttls")
PASSWORD_NEEDED = rule("SP1111", "a user needs one")
NO_HOST = rule("SP1112", "it is neither the name of a computer nor its address")
NO_MAIL_ADDRESS = rule("SP1113", "it is no mail address")
NO_SENDER = rule("SP1114", "a number with its country, or up to eleven letters and digits")
NO_PROFILE = rule("SP1115", "known are {known}")
SHAPE_OF_OTHERS = rule("SP1116", "only the profile generic has one")
NO_URL = rule("SP1117", "its host or its port cannot be")
HTTPS_NEEDED = rule("SP1118", "https is needed, on this computer http will do")
BARE_URL = rule("SP1119", "only a host, a port and a path stand here")
NUMBER_IN_ADDRESS = rule("SP1120", "an address with the number in it is only for a gateway on this computer")
NO_RECEIPTS = rule("SP1121", "this provider sends none")
UNREHEARSED = rule(
    "SP1148",
    "a rehearsal would send to anybody through {name!r}",
    "Add [notices.rehearsal] with the recipients that rehearse, or take the provider out until the town is live.",
)
NO_NUMBER = rule("SP1122", "{why}")
NO_SECRET = rule(
    "SP1123",
    "a secret of this tenant is written as env:{prefix}NAME or file:NAME",
    "The secret itself never stands in a file of a tenant.",
)


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what stands in the section: an unknown key is a mistake."""


class RestProvider(Part, frozen=True, kw_only=True, tag_field="protocol", tag="rest"):
    """A provider with an HTTP interface. `profile` names one whose shape is known; `shape` describes any other.

    `key` and `receipts` (what proves a delivery receipt) are references to secrets.
    """

    name: Name
    weight: Weight = 50
    sender: Short
    profile: Short = "generic"
    url: Short = ""
    user: Short = ""
    key: Short = ""
    receipts: Short = ""
    shape: RestShape | None = None
    longest_hours: Annotated[int, Meta(ge=1, le=720)] = 48


class SmppProvider(Part, frozen=True, kw_only=True, tag_field="protocol", tag="smpp"):
    """A short message centre by SMPP 3.4. `receipt_ids` is decimal where the centre answers a submission with a
    hexadecimal reference and names the same one in decimal digits in its receipts."""

    name: Name
    weight: Weight = 50
    sender: Short
    host: HostName
    port: PortNumber = 2775
    tls: bool = True
    system_id: Annotated[str, Meta(min_length=1, max_length=15, pattern=PRINTABLE)]
    password: Short
    system_type: Annotated[str, Meta(max_length=12, pattern=PRINTABLE)] = ""
    receipt_ids: Literal["same", "decimal"] = "same"
    longest_hours: Annotated[int, Meta(ge=1, le=720)] = 72


class GsmProvider(Part, frozen=True, kw_only=True, tag_field="protocol", tag="gsm"):
    """A modem with a SIM card at the computer that runs the worker. `device` is its serial port."""

    name: Name
    weight: Weight = 50
    device: Annotated[str, Meta(pattern=r"^/dev/[A-Za-z0-9._:/+-]{1,200}\Z")]
    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600] = 115200
    pin: Short = ""
    longest_hours: Annotated[int, Meta(ge=1, le=720)] = 72


class SmtpProvider(Part, frozen=True, kw_only=True, tag_field="protocol", tag="smtp"):
    """A mail server. `encryption` may be none on this computer only."""

    name: Name
    weight: Weight = 50
    sender: Short
    host: HostName
    port: PortNumber = 465
    encryption: Literal["tls", "starttls", "none"] = "tls"
    user: Short = ""
    password: Short = ""


Provider = RestProvider | SmppProvider | GsmProvider | SmtpProvider
SECRETS = ("key", "receipts", "password", "pin")


class Limits(Part, frozen=True, kw_only=True):
    """The most messages to one number in a day, from one source (a box) in an hour, and of the tenant in an hour."""

    number_day: Annotated[int, Meta(ge=1, le=1000)] = 10
    source_hour: Annotated[int, Meta(ge=1, le=100_000)] = 400
    tenant_hour: Annotated[int, Meta(ge=1, le=1_000_000)] = 2000


class Rehearsal(Part, frozen=True, kw_only=True):
    """Messages go to `recipients` alone. `others`: settle (not sent, and shown as such) or phone, the rehearsal's own.

    The recipients are numbers and addresses of those who rehearse, never of citizens.
    """

    recipients: tuple[Short, ...] = ()
    others: Literal["settle", "phone"] = "settle"


class NoticeSettings(Part, frozen=True, kw_only=True):
    """Which providers carry which kind of message: one name, or several that stand in for each other."""

    sms: str | tuple[str, ...] = "phone"
    email: str | tuple[str, ...] = "smtp"
    countries: tuple[str, ...] = ("DE",)
    provider: tuple[Provider, ...] = ()
    limits: Limits = Limits()
    rehearsal: Rehearsal | None = None

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of those that carry `kind` (sms or email), in the order of the file."""
        named: str | tuple[str, ...] = self.sms if kind == "sms" else self.email
        return (named,) if isinstance(named, str) else named

    def find(self, name: str) -> Provider | None:
        return next((provider for provider in self.provider if provider.name == name), None)


def kind_of(provider: Provider) -> str:
    return "email" if isinstance(provider, SmtpProvider) else "sms"


def expects_receipts(provider: Provider | None) -> bool:
    """Whether the provider says later what became of a message."""
    match provider:
        case RestProvider():
            return bool(provider.receipts)
        case SmppProvider() | GsmProvider():
            return True
        case _:
            return False


def mistakes(
    settings: NoticeSettings, *, slug: str, others: Collection[tuple[str, str]], state: str = "live"
) -> list[Mistake]:
    """Every mistake that a schema cannot see, as (place, sentence). `others`: channels of plugins, as (name, kind).

    `state`: the tenant's; in a rehearsal nobody gets a message who does not know of it.
    """
    return [
        *_service_mistakes(settings, set(others) | BUILTIN),
        *_unrehearsed(settings, state),
        *(("countries", NO_COUNTRY(code=country)) for country in settings.countries if not _country(country)),
        *(("countries", COUNTRY_NEEDED()) for _ in range(not settings.countries)),
        *_rehearsal_mistakes(settings),
        *(
            (f"provider.{provider.name}.{place}", sentence)
            for provider in settings.provider
            for place, sentence in _provider_mistakes(provider, slug)
        ),
    ]


def _service_mistakes(settings: NoticeSettings, others: set[tuple[str, str]]) -> Iterator[Mistake]:
    counted = Counter(provider.name for provider in settings.provider)
    yield from ((f"provider.{name}", NAME_TAKEN()) for name, count in counted.items() if count > 1)
    yield from ((f"provider.{name}", HOUSE_NAME()) for name in counted if name in {own for own, _ in BUILTIN})
    known = {(provider.name, kind_of(provider)) for provider in settings.provider} | others
    used = set()
    for kind in ("sms", "email"):
        names = settings.names(kind)
        used |= set(names)
        if not 1 <= len(names) <= 8 or len(set(names)) < len(names):
            yield kind, NAMES_ONCE()
        yield from ((kind, NO_PROVIDER(name=name, kind=kind)) for name in names if (name, kind) not in known)
    yield from ((f"provider.{name}", UNUSED()) for name in counted if name not in used)


def _unrehearsed(settings: NoticeSettings, state: str) -> Iterator[Mistake]:
    """A provider elsewhere that would be used; those on this computer are part of the rehearsal."""
    if state == "rehearsal" and settings.rehearsal is None:
        used = {name for kind in ("sms", "email") for name in settings.names(kind)}
        for provider in settings.provider:
            if provider.name in used and not _is_here(provider):
                yield f"provider.{provider.name}", UNREHEARSED(name=provider.name)


def _is_here(provider: Provider) -> bool:
    match provider:
        case RestProvider():
            parsed = _address_of(provider.url)
            return bool(provider.url) and parsed is not None and parsed.hostname in LOOPBACK
        case SmppProvider() | SmtpProvider():
            return provider.host in LOOPBACK
        case _:
            return False


def _country(code: str) -> bool:
    return len(code) == 2 and code.isascii() and code.isupper() and code.isalpha()


def _rehearsal_mistakes(settings: NoticeSettings) -> Iterator[Mistake]:
    for recipient in settings.rehearsal.recipients if settings.rehearsal else ():
        if "@" in recipient:
            continue
        try:
            written = mobile_number(recipient, settings.countries)
        except NumberRefused as refused:
            yield "rehearsal.recipients", NO_NUMBER(why=refused.sentence)
            continue
        if written != recipient:
            yield "rehearsal.recipients", NUMBER_AS_SENT()


def _provider_mistakes(provider: Provider, slug: str) -> Iterator[Mistake]:
    for field in SECRETS:
        if reference := getattr(provider, field, ""):
            try:
                tenant_secret(reference, slug=slug, home=Path())
            except SecretError:
                yield field, NO_SECRET(prefix=tenant_prefix(slug))
    match provider:
        case RestProvider():
            yield from _rest_mistakes(provider)
        case SmppProvider() if not provider.password:
            yield "password", MISSING()
        case SmtpProvider() if provider.encryption == "none" and provider.host not in LOOPBACK:
            yield "encryption", TLS_NEEDED()
        case SmtpProvider() if provider.user and not provider.password:
            yield "password", PASSWORD_NEEDED()
        case _:
            pass
    if isinstance(provider, (SmppProvider, SmtpProvider)) and not HOST.match(provider.host):
        yield "host", NO_HOST()
    if isinstance(provider, SmtpProvider) and not ADDRESS.match(provider.sender):
        yield "sender", NO_MAIL_ADDRESS()
    if isinstance(provider, (RestProvider, SmppProvider)) and not SENDER.match(provider.sender):
        yield "sender", NO_SENDER()


def _address_of(url: str) -> SplitResult | None:
    """The parts of an address; None where its host or its port cannot be."""
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError:
        return None
    return parsed if port != 0 and HOST.match(parsed.hostname or "none") else None


def _rest_mistakes(provider: RestProvider) -> Iterator[Mistake]:
    if provider.profile not in PROFILES:
        yield "profile", NO_PROFILE(known=", ".join(sorted(PROFILES)))
        return
    profile = PROFILES[provider.profile]
    if provider.shape is not None and provider.profile != "generic":
        yield "shape", SHAPE_OF_OTHERS()
    shape = provider.shape or profile.shape
    yield from ((f"shape.{place}", sentence) for place, sentence in shape.mistakes())
    url = provider.url or profile.url
    parsed = _address_of(url)
    if not url:
        yield "url", MISSING()
    elif parsed is None:
        yield "url", NO_URL()
    elif parsed.scheme != "https" and not (parsed.scheme == "http" and parsed.hostname in LOOPBACK):
        yield "url", HTTPS_NEEDED()
    elif not parsed.hostname or parsed.username or parsed.password or parsed.query or parsed.fragment:
        yield "url", BARE_URL()
    if shape.encoding == "query" and (parsed is None or parsed.hostname not in LOOPBACK):
        yield "shape", NUMBER_IN_ADDRESS()
    if shape.auth != "none" and not provider.key:
        yield "key", MISSING()
    if shape.auth == "basic" and not provider.user:
        yield "user", MISSING()
    if provider.receipts and profile.receipts is None:
        yield "receipts", NO_RECEIPTS()


PROTOCOLS = tuple(kind.__struct_config__.tag for kind in get_args(Provider))
