"""Commands and messages as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.sdk.errors import MessageError
from servicepunkt.eid.sdk.messages import (
    MAX_MESSAGE,
    AccessRight,
    AccessRights,
    Auth,
    AuthResult,
    Certificate,
    ChangePin,
    Command,
    EnterPin,
    Message,
    Reader,
    ReaderList,
    RunAuth,
    SetAccessRights,
    SetCard,
    SetPin,
    Simulator,
    SimulatorFile,
    Unknown,
    parse,
    tag_of,
    write,
)
from servicepunkt.eid.secret import Secret

RECORDED = (Path(__file__).parents[1] / "data" / "ausweisapp" / "messages_1_26_2.jsonl").read_text().splitlines()


def kinds_of(kind: type[Any]) -> Iterator[type[Any]]:
    for child in kind.__subclasses__():
        if tag_of(child).isupper():  # the others are what some have in common
            yield child
        yield from kinds_of(child)


@pytest.mark.parametrize("text", RECORDED)
def test_what_an_ausweisapp_has_said_is_read(text: str) -> None:
    said = json.loads(text)
    message = parse(text)
    assert isinstance(message, Message)
    assert tag_of(message) == said["msg"]
    again = msgspec.json.decode(msgspec.json.encode(message))
    assert {name: again[name] for name in said if not isinstance(said[name], dict | list)} == {
        name: value for name, value in said.items() if not isinstance(value, dict | list)
    }


def test_every_message_and_command_of_the_documentation_is_there() -> None:
    assert {tag_of(kind) for kind in kinds_of(Message)} == {
        "ACCESS_RIGHTS",
        "API_LEVEL",
        "AUTH",
        "BAD_STATE",
        "CERTIFICATE",
        "CHANGE_PIN",
        "ENTER_CAN",
        "ENTER_NEW_PIN",
        "ENTER_PIN",
        "ENTER_PUK",
        "INFO",
        "INSERT_CARD",
        "INTERNAL_ERROR",
        "INVALID",
        "PAUSE",
        "READER",
        "READER_LIST",
        "STATUS",
        "UNKNOWN_COMMAND",
    }
    assert {tag_of(kind) for kind in kinds_of(Command)} == {
        "ACCEPT",
        "CANCEL",
        "CONTINUE",
        "GET_ACCESS_RIGHTS",
        "GET_API_LEVEL",
        "GET_CERTIFICATE",
        "GET_INFO",
        "GET_READER",
        "GET_READER_LIST",
        "GET_STATUS",
        "INTERRUPT",
        "RUN_AUTH",
        "RUN_CHANGE_PIN",
        "SET_ACCESS_RIGHTS",
        "SET_API_LEVEL",
        "SET_CAN",
        "SET_CARD",
        "SET_NEW_PIN",
        "SET_PIN",
        "SET_PUK",
    }
    assert len(AccessRight) == 24


def test_an_unknown_message_survives() -> None:
    text = b'{"msg":"WEATHER","sun":true}'
    assert parse(text) == Unknown(tag="WEATHER", raw=text)


def test_unknown_fields_are_passed_over() -> None:
    said = parse('{"msg":"ENTER_PIN","new":[1,{"a":null}],"reader":{"name":"R","attached":true,"colour":"blue"}}')
    assert isinstance(said, EnterPin)
    assert said.reader.name == "R"


def test_a_certificate_and_rights() -> None:
    said = parse(
        '{"msg":"ACCESS_RIGHTS","chat":{"effective":["FamilyName","X9"],"optional":["X9"],"required":["FamilyName"]},'
        '"transactionInfo":"Az. 7","aux":{"ageVerificationDate":"1999-07-20","requiredAge":"18"}}'
    )
    assert isinstance(said, AccessRights)
    assert said.chat.optional == ("X9",)  # a right of tomorrow is shown, not refused
    assert said.aux is not None
    assert (said.aux.age_verification_date, said.aux.required_age) == (date(1999, 7, 20), "18")
    certificate = parse(
        '{"msg":"CERTIFICATE","description":{"subjectName":"Stadt"},"validity":{"effectiveDate":"2016-07-31",'
        '"expirationDate":"2016-08-30"}}'
    )
    assert isinstance(certificate, Certificate)
    assert certificate.validity.expiration_date == date(2016, 8, 30)


@pytest.mark.parametrize(
    ("card", "known", "tries"),
    [
        ("{}", False, None),
        ('{"retryCounter":-1}', True, None),
        ('{"retryCounter":0,"deactivated":true,"inoperative":true}', True, 0),
    ],
)
def test_cards(card: str, known: bool, tries: int | None) -> None:
    said = parse(f'{{"msg":"READER","name":"R","attached":true,"card":{card}}}')
    assert isinstance(said, Reader)
    assert said.card is not None
    assert (said.card.is_known, said.card.tries) == (known, tries)


def test_the_list_of_readers_has_another_name_at_level_1() -> None:
    for key in ("reader", "readers"):
        said = parse(f'{{"msg":"READER_LIST","{key}":[{{"name":"R"}}]}}')
        assert isinstance(said, ReaderList)
        assert [reader.name for reader in said.found] == ["R"]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"msg":1}',
        b'{"msg":""}',
        b'{"msg":"A B"}',
        b'{"msg":"' + b"A" * 65 + b'"}',
        b'{"msg":"AUTH"',
        b'{"msg":"AUTH"} {}',
        b'{"msg":"AUTH","url":7}',
        b'{"msg":"AUTH","url":"\xff"}',
        b'{"msg":"AUTH","result":{}}',
        b'{"msg":"AUTH","x":' + b"[" * 100_000,
        b'{"msg":"CHANGE_PIN","success":"true"}',
        b'{"msg":"ENTER_PIN","reader":{"keypad":"yes"}}',
        b'{"msg":"READER","card":{"retryCounter":1000}}',
        b'{"msg":"READER","card":{"retryCounter":"3"}}',
        b'{"msg":"STATUS","progress":101}',
        b'{"msg":"PAUSE"}',
        b'{"msg":"ACCESS_RIGHTS","chat":{"effective":[],"optional":[]}}',
        b'{"msg":"ACCESS_RIGHTS","chat":{"effective":[],"optional":["' + b'a","' * 64 + b'a"],"required":[]}}',
        b'{"msg":"AUTH","error":"' + b"x" * 10_000_000 + b'"}',
    ],
)
def test_what_is_no_message_is_refused(bad: bytes) -> None:
    with pytest.raises(MessageError) as caught:
        parse(bad)
    assert caught.value.code == "SP4101"
    assert len(str(caught.value)) < 200


def test_the_longest_message_is_read() -> None:
    body = b'{"msg":"FUTURE","x":"' + b"x" * (MAX_MESSAGE - 23) + b'"}'
    assert len(body) == MAX_MESSAGE
    assert isinstance(parse(body), Unknown)
    with pytest.raises(MessageError):
        parse(body + b" ")


def test_commands_are_written() -> None:
    assert write(RunAuth(tc_token_url="https://a/")) == b'{"cmd":"RUN_AUTH","tcTokenURL":"https://a/"}'
    assert write(SetAccessRights(chat=())) == b'{"cmd":"SET_ACCESS_RIGHTS","chat":[]}'
    assert write(SetPin(value=Secret("123456"))) == b'{"cmd":"SET_PIN","value":"123456"}'
    assert write(SetPin()) == b'{"cmd":"SET_PIN"}'
    card = SetCard(
        name="Simulator",
        simulator=Simulator(files=(SimulatorFile(file_id="0101", short_file_id="01", content="6104"),)),
    )
    assert json.loads(write(card)) == {
        "cmd": "SET_CARD",
        "name": "Simulator",
        "simulator": {"files": [{"fileId": "0101", "shortFileId": "01", "content": "6104"}]},
    }


def test_no_repr_shows_what_a_message_holds() -> None:
    result = AuthResult(major="m", message="Erika Mustermann")
    held = [
        SetPin(value=Secret("123456")),
        Auth(result=result, url="https://a/?refID=123456"),
        result,
        parse('{"msg":"FUTURE","name":"Erika Mustermann","pin":"123456"}'),
        RunAuth(tc_token_url="https://a/?session=123456"),
    ]
    for message in held:
        assert "123456" not in repr(message)
        assert "Erika" not in repr(message)


TAGS = sorted(tag_of(kind) for kind in kinds_of(Message))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "error",
        "reader",
        "readers",
        "chat",
        "aux",
        "effective",
        "optional",
        "required",
        "transactionInfo",
        "result",
        "major",
        "url",
        "success",
        "reason",
        "cause",
        "card",
        "retryCounter",
        "name",
        "attached",
        "keypad",
        "description",
        "validity",
        "current",
        "available",
        "VersionInfo",
        "progress",
    ]
)


@given(st.dictionaries(FIELDS, VALUES, max_size=6), st.sampled_from([*TAGS, "FUTURE"]))
def test_whatever_has_a_name_is_read_or_refused(fields: dict[str, Any], tag: str) -> None:
    with suppress(MessageError):
        assert tag_of(parse(json.dumps(fields | {"msg": tag}))) == tag


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_whatever_comes_is_read_or_refused(text: bytes | str) -> None:
    with suppress(MessageError):
        parse(text)


@given(st.sampled_from(RECORDED), st.data())
def test_a_byte_of_a_message_that_changes_ends_in_nothing_worse(text: str, data: st.DataObject) -> None:
    raw = bytearray(text.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MessageError):
        parse(bytes(raw))


def test_a_success_is_a_word_and_nothing_like_it() -> None:
    said = parse('{"msg":"CHANGE_PIN","success":true}')
    assert isinstance(said, ChangePin)
    assert said.success is True
    ok = "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok"
    assert AuthResult(major=ok).is_ok
    assert not any(AuthResult(major=major).is_ok for major in (ok.upper(), ok + " ", "ok", ok.replace("#ok", "#error")))
