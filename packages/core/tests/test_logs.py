"""Logs: a line of JSON for each event, from an allow list of fields; what a person typed never gets there."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from servicepunkt.core import logs
from servicepunkt.core.tenancy.model import TenantContext, use

CANARY = "+49 151 CANARY"
Lines = Callable[[], list[dict[str, Any]]]
log = structlog.get_logger("servicepunkt.test")
foreign = logging.getLogger("a.library")


def raising(value: str) -> None:
    raise ValueError(f"cannot read {value}")


def test_a_field_outside_the_allow_list_never_reaches_the_output(logged: Lines) -> None:
    log.info("sign_in", name=CANARY, phone=CANARY, login=CANARY, recipient=CANARY, reason="wrong")
    log.bind(password=CANARY).warning("sign_in")
    (first, second) = logged()
    assert set(first) == {"event", "reason", "level", "timestamp"}
    assert set(second) == {"event", "level", "timestamp"}


def test_an_exception_is_logged_with_its_type_and_place_and_without_its_words(logged: Lines) -> None:
    try:
        raising(CANARY)
    except ValueError as error:
        log.exception("failed")
        log.error("failed", exc_info=error)
        log.error("failed", exc_info=sys.exc_info())
        foreign.exception("failed")
    lines = logged()
    assert len(lines) == 4
    for line in lines:
        assert line["error_type"] == "ValueError"
        assert line["exception"].startswith("test_logs.py:")
        assert ":raising < test_logs.py:" in line["exception"]
    assert CANARY not in str(lines)


def test_the_words_of_a_cause_are_left_out_too(logged: Lines) -> None:
    try:
        try:
            raising(CANARY)
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError:
        log.exception("failed", stack_info=True)
    assert CANARY not in str(logged())


def test_values_in_the_messages_of_libraries_are_left_out(logged: Lines) -> None:
    foreign.error("cannot deliver to %s", CANARY)
    foreign.error("cannot deliver to %(to)s", {"to": CANARY})
    foreign.warning("late", extra={"recipient": CANARY}, stack_info=True)
    lines = logged()
    assert [line["event"] for line in lines] == ["cannot deliver to %s", "cannot deliver to %(to)s", "late"]
    assert {line["logger"] for line in lines} == {"a.library"}
    assert CANARY not in str(lines)


async def test_a_task_that_nobody_waited_for_is_logged_without_the_words_of_its_exception(logged: Lines) -> None:
    async def fail() -> None:
        raising(CANARY)

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    (line,) = logged()
    assert line["event"] == "Task exception was never retrieved"
    assert line["error_type"] == "ValueError"
    assert CANARY not in str(line)


def test_each_line_is_json_whatever_it_holds(logged: Lines) -> None:
    log.warning("two\nlines", reason='"', kind=b"\xff", count=float("inf"), state="\u2028 🙂", file=object())
    foreign.warning("two\nlines \x00")
    (ours, theirs) = logged()
    assert ours["event"] == "two\nlines"
    assert theirs["event"] == "two"


def test_the_tenant_is_named_by_itself(logged: Lines) -> None:
    with use(TenantContext(id=1, slug="alpha", name=CANARY)):
        log.info("inside")
        foreign.warning("inside")
    log.info("outside")
    assert [line.get("tenant") for line in logged()] == ["alpha", "alpha", None]
    assert CANARY not in str(logged())


def test_the_level_holds_for_ours_and_libraries_are_heard_from_warnings_on(logged: Lines) -> None:
    log.debug("not shown")
    foreign.info("not shown")
    log.info("shown")
    foreign.warning("shown")
    assert [line["event"] for line in logged()] == ["shown", "shown"]


@pytest.mark.usefixtures("logged")
def test_the_level_can_be_chosen_and_a_senseless_one_means_info() -> None:
    for level, expected in (("ERROR", logging.ERROR), ("DEBUG", logging.DEBUG), ("loud", logging.INFO)):
        logs.configure(level)
        assert structlog.get_logger().bind().get_effective_level() == expected
        assert logging.getLogger().level == max(expected, logging.WARNING)
