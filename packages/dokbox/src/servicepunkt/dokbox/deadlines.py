"""Until when a document lies ready: calendar days, and never a last day on which nobody can come. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

MOST_CLOSED_DAYS = 60
REMINDING_HOURS = range(9, 19)  # local hours in which somebody is reminded


def last_day(first: date, days: int, is_open: Callable[[date], bool]) -> date:
    """The day `days` after `first`, or the next open one; a place that never opens again moves nothing."""
    day = first + timedelta(days=days)
    later = (day + timedelta(days=step) for step in range(MOST_CLOSED_DAYS))
    return next((each for each in later if is_open(each)), day)


def reminders_due(reminders: tuple[int, ...], notified: datetime, now: datetime) -> int:
    """How many reminders should have gone out by now."""
    return sum(now >= notified + timedelta(days=day) for day in reminders)
