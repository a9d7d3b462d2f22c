"""Structured logs: one JSON line an event, from an allow list of fields, so that personal data cannot slip in."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from servicepunkt.core.tenancy.model import current_slug

ALLOWED = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "logger",
        "tenant",
        "plugin",
        "hook",
        "job",
        "code",
        "status",
        "method",
        "route",
        "seconds",
        "count",
        "state",
        "channel",
        "box",
        "compartment",
        "seq",
        "deposit",
        "notice",
        "device",
        "kind",
        "reason",
        "attempt",
        "exception",
        "error_type",
        "fault",
        "port",
        "version",
        "file",
        "link",
    ]
)


def _only_allowed(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = [key for key in event if key not in ALLOWED]
    for key in dropped:
        del event[key]
    return event


def _add_tenant(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (slug := current_slug()) is not None:
        event.setdefault("tenant", slug)
    return event


def _exception_without_values(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep type and place of an exception; its message may quote what a person typed."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[0] is not None:
        frames = []
        trace = info[2]
        while trace is not None:
            code = trace.tb_frame.f_code
            frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
            trace = trace.tb_next
        event["error_type"] = info[0].__name__
        event["exception"] = " < ".join(reversed(frames[-12:]))
    return event


def _first_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of a library's message its beginning: asyncio, for one, appends the exception's own words in later lines."""
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def configure(level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers as JSON lines to standard error.

    Libraries are heard from warnings on, and with the pattern of their message instead of the message: what they fill
    in may be a number that a person typed. A level that does not exist means INFO.
    """
    number = logging.getLevelNamesMapping().get(level, logging.INFO)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_tenant,
        _exception_without_values,
    ]
    structlog.configure(
        processors=[*shared, _only_allowed, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            use_get_message=False,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _first_line,
                _only_allowed,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
