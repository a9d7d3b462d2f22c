"""Section [notices]: every mistake is named when the file is read; secrets reach the tenant's own place alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.errors import SecretError
from servicepunkt.core.notices.settings import NoticeSettings, SmtpProvider, expects_receipts, mistakes
from servicepunkt.core.secrets import tenant_prefix, tenant_secret

NORTH = {
    "name": "north", "protocol": "rest", "profile": "seven", "weight": 51, "sender": "STADT",
    "key": "env:TENANT_ALPHA__SEVEN_KEY", "receipts": "file:seven-signing",
}  # fmt: skip
SOUTH = {
    "name": "south", "protocol": "smpp", "sender": "+4956178700", "host": "smpp.example.org",
    "system_id": "stadt", "password": "file:smpp",
}  # fmt: skip
MODEM = {"name": "modem", "protocol": "gsm", "device": "/dev/serial/by-id/usb-modem", "weight": 1}
POST = {
    "name": "post", "protocol": "smtp", "sender": "punkt@example.org", "host": "mail.example.org",
    "user": "punkt", "password": "env:TENANT_ALPHA__MAIL",
}  # fmt: skip
GOOD: dict[str, Any] = {"sms": ["north", "south", "modem"], "email": "post", "provider": [NORTH, SOUTH, MODEM, POST]}


def wrong(section: dict[str, Any], others: set[tuple[str, str]] | None = None) -> list[str]:
    settings = msgspec.convert(section, NoticeSettings)
    return [f"{place}: {sentence}" for place, sentence in mistakes(settings, slug="alpha", others=others or set())]


def changed(provider: int, **values: Any) -> dict[str, Any]:
    section = copy.deepcopy(GOOD)
    section["provider"][provider] |= values
    return section


def test_a_good_section() -> None:
    assert wrong(GOOD) == []
    assert wrong({}) == []
    assert wrong({"sms": ["recording", "phone"]}, {("recording", "sms")}) == []
    settings = msgspec.convert(GOOD, NoticeSettings)
    assert msgspec.convert(msgspec.to_builtins(settings), NoticeSettings) == settings
    assert [expects_receipts(provider) for provider in (*settings.provider, None)] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (GOOD | {"sms": "nobody"}, "sms: there is no provider 'nobody' for sms"),
        (GOOD | {"sms": ["north", "south", "modem", "post"]}, "sms: there is no provider 'post' for sms"),
        (GOOD | {"email": "north"}, "email: there is no provider 'north' for email"),
        (GOOD | {"sms": []}, "sms: one to eight names stand here, each once"),
        (GOOD | {"sms": ["north", "north"]}, "sms: one to eight names stand here, each once"),
        (GOOD | {"sms": ["north", "south"]}, "provider.modem: neither sms nor email names it"),
        (GOOD | {"provider": [NORTH, SOUTH, MODEM, POST, NORTH]}, "provider.north: this name is taken"),
        (changed(2, name="phone") | {"sms": ["north", "south", "phone"]}, "provider.phone: this name is the house"),
        (GOOD | {"countries": []}, "countries: at least one country is needed"),
        (GOOD | {"countries": ["de"]}, "countries: 'de' is no country code"),
        (GOOD | {"rehearsal": {"recipients": ["0151 12345678"]}}, "rehearsal.recipients: a number is written with +"),
        (GOOD | {"rehearsal": {"recipients": ["+49561787"]}}, "rehearsal.recipients: This"),
        (changed(0, key="env:SEVEN_KEY"), "provider.north.key: a secret of this tenant is written as env:TENANT"),
        (changed(0, key="file:../beta/key"), "provider.north.key: a secret of this tenant"),
        (changed(1, password="file:/etc/passwd"), "provider.south.password: a secret of this tenant"),
        (changed(0, key=""), "provider.north.key: it is missing"),
        (changed(0, profile="eight"), "provider.north.profile: known are generic, lox24, seven, sipgate"),
        (changed(0, profile="sipgate", user="t"), "provider.north.receipts: this provider sends none"),
        (changed(0, profile="sipgate", receipts=""), "provider.north.user: it is missing"),
        (changed(0, profile="generic"), "provider.north.url: it is missing"),
        (changed(0, url="http://sms.example.org/"), "provider.north.url: https is needed"),
        (changed(0, url="https://u:p@sms.example.org/"), "provider.north.url: only a host"),
        (changed(0, url="https://sms.example.org/?key=1"), "provider.north.url: only a host"),
        (changed(0, url="https://sms.example.org:99999/"), "provider.north.url: its host or its port cannot be"),
        (changed(0, url="https://sms.example.org:port/"), "provider.north.url: its host or its port cannot be"),
        (changed(0, url="https://sms..example.org/"), "provider.north.url: its host or its port cannot be"),
        (changed(0, url="https://[::1/"), "provider.north.url: its host or its port cannot be"),
        (changed(0, url="https:///sms"), "provider.north.url: only a host"),
        (changed(0, sender="Bürgeramt Mitte"), "provider.north.sender: a number"),
        (changed(1, password=""), "provider.south.password: it is missing"),
        (changed(1, sender="0561"), "provider.south.sender: a number"),
        (changed(0, shape={"id": ""}), "provider.north.shape: only the profile generic has one"),
        (
            changed(0, profile="generic", url="https://x.org/", shape={"fields": {"to": "to", "wen": "x"}}),
            "provider.north.shape.fields: unknown are wen",
        ),
        (
            changed(0, profile="generic", url="https://x.org/", shape={"encoding": "query", "method": "GET"}),
            "provider.north.shape: an address with the number in it is only for a gateway on this computer",
        ),
        (changed(3, encryption="none"), "provider.post.encryption: a mail server elsewhere needs tls or starttls"),
        *(
            (changed(1, host=host), "provider.south.host: it is neither the name of a computer nor its address")
            for host in ("a b", "smpp..example.org", "a" * 64 + ".org", "-smpp.example.org", "smpp.example.org:2775")
        ),
        (changed(3, host="mail..b.de"), "provider.post.host: it is neither the name of a computer nor its address"),
        *(
            (changed(3, sender=sender), "provider.post.sender: it is no mail address")
            for sender in ("nobody", "a,b@example.org", "punkt@example", "")
        ),
        (changed(3, password=""), "provider.post.password: a user needs one"),
    ],
)  # fmt: skip
def test_every_mistake_has_its_sentence(section: dict[str, Any], sentence: str) -> None:
    assert any(found.startswith(sentence) for found in wrong(section)), wrong(section)


def test_all_mistakes_are_named_at_once() -> None:
    section = changed(0, key="env:X", sender="!") | {"countries": ["x"], "email": "x"}
    places = {found.partition(":")[0] for found in wrong(section)}
    assert places == {"provider.north.key", "provider.north.sender", "countries", "email", "provider.post"}


@pytest.mark.parametrize(
    "section",
    [
        {"rehearsel": True},
        {"provider": [{"name": "x", "protocol": "fax"}]},
        {"provider": [NORTH | {"colour": "red"}]},
        {"provider": [NORTH | {"weight": 0}]},
        {"provider": [NORTH | {"weight": 101}]},
        {"provider": [NORTH | {"name": "North 1"}]},
        {"provider": [NORTH | {"sender": "a\nb"}]},
        {"provider": [SOUTH | {"host": ".".join(["a" * 60] * 5)}]},
        {"provider": [SOUTH | {"system_id": "x" * 16}]},
        {"provider": [SOUTH | {"system_id": "süd"}]},
        {"provider": [SOUTH | {"system_type": "süd"}]},
        {"provider": [MODEM | {"device": "/etc/passwd"}]},
        {"provider": [POST | {"host": ""}]},
        {"limits": {"number_day": 0}},
    ],
)
def test_the_schema_is_strict(section: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(section, NoticeSettings)


@pytest.mark.parametrize("host", ["localhost", "smpp-1.example.org", "192.0.2.7", "::1", "2001:db8::7", "A" * 63])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert wrong(changed(1, host=host)) == []


def test_mail_in_the_clear_stays_on_this_computer() -> None:
    local = SmtpProvider(name="post", sender="a@b.example", host="127.0.0.1", encryption="none")
    assert mistakes(NoticeSettings(email="post", provider=(local,)), slug="alpha", others=()) == []


# --- secrets --------------------------------------------------------------------------------------------------

HOME = Path("/srv/punkt")


def test_a_tenants_secrets_are_in_its_own_place() -> None:
    assert tenant_secret("file:sms-key", slug="alpha", home=HOME) == "file:/srv/punkt/secrets/alpha/sms-key"
    assert tenant_secret("env:TENANT_BAD_X__KEY_2", slug="bad-x", home=HOME) == "env:TENANT_BAD_X__KEY_2"


@pytest.mark.parametrize(
    "reference",
    [
        "", "secret", "env:", "env:PATH", "env:SERVICEPUNKT_MASTER_KEY", "env:TENANT_ALPHA__", "env:TENANT_ALPHA__a",
        "env:TENANT_BETA__KEY", "env:TENANT_ALPHA_KEY", "env:TENANT_ALPHA__B__KEY", "env:TENANT_ALPHA___KEY",
        "file:", "file:..", "file:../x", "file:/x", "file:a/b", "file:.hidden", "file:a\x00", "file:a\n", "http:x",
    ],
)  # fmt: skip
def test_every_other_reference_is_refused(reference: str) -> None:
    with pytest.raises(SecretError, match="env:TENANT_ALPHA__NAME or file:NAME"):
        tenant_secret(reference, slug="alpha", home=HOME)


SLUG = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,8}\Z")


@given(SLUG, SLUG, st.text(alphabet="AB_0", min_size=1, max_size=12))
def test_no_two_tenants_share_a_variable(one: str, other: str, name: str) -> None:
    reference = f"env:{tenant_prefix(one)}{name}"

    def may(slug: str) -> bool:
        try:
            return tenant_secret(reference, slug=slug, home=HOME) == reference
        except SecretError:
            return False

    assert one == other or not (may(one) and may(other))


@pytest.mark.parametrize(
    ("state", "host", "extra", "refused"),
    [
        ("rehearsal", "mail.example.org", {}, True),
        ("rehearsal", "127.0.0.1", {}, False),
        ("rehearsal", "mail.example.org", {"rehearsal": {"recipients": ["a@example.org"]}}, False),
        ("rehearsal", "mail.example.org", {"email": "smtp"}, False),
        ("draft", "mail.example.org", {}, False),
        ("live", "mail.example.org", {}, False),
    ],
)
def test_a_rehearsal_reaches_nobody_who_does_not_rehearse(
    state: str, host: str, extra: dict[str, Any], refused: bool
) -> None:
    post = {"protocol": "smtp", "name": "post", "sender": "a@example.org", "host": host}
    settings = msgspec.convert({"email": "post", "provider": [post], **extra}, NoticeSettings)
    found = [said.rule.code for _, said in mistakes(settings, slug="alpha", others=(), state=state)]
    assert ("SP1148" in found) is refused
