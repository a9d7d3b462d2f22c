"""What people read after a campaign: one line a seed, the figures of the box, and a violation with its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .run import Finding, Outcome

# What happened to documents and doors, in the order of the table.
EVENTS = {
    "reserve": "reserved",
    "taken": "taken by citizens",
    "taken_back": "taken back by staff",
    "refused": "codes refused",
    "lock": "lock-outs",
    "expire": "expired",
    "new_code": "new codes",
    "left_open": "doors left open",
    "not_opened": "doors that stuck",
    "forced": "forced with a deposit",
    "stolen": "stolen",
    "crowbar": "crowbars",
    "unlock_lost": "lost replies",
    "command_declined": "commands declined",
    "power_cut": "power cuts",
    "bus_lost": "lines lost",
    "board_silent": "boards silent",
    "clock_step": "clock steps",
}


class Plan(Protocol):
    """What queueing theory expects."""

    @property
    def load(self) -> float: ...
    @property
    def compartments(self) -> int: ...
    @property
    def refused(self) -> float: ...


class Lost(Protocol):
    """A planted fault and what found it."""

    @property
    def mutant(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def invariant(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def day(self) -> float: ...
    @property
    def seconds(self) -> float: ...


def line(outcome: Outcome) -> str:
    """One seed in one line, as it ends."""
    end = f"{outcome.finding.invariant} on day {outcome.finding.day}" if outcome.finding else "held"
    return (
        f"seed {outcome.seed}: {end}, {outcome.days / 365:.2f} box-years, {outcome.steps} steps, "
        f"{outcome.counts.get('taken', 0)} taken, {outcome.seconds:.0f} s of a processor, {outcome.digest[:12]}"
    )


def mutant_line(one: Lost) -> str:
    """One planted fault in one line, as its search ends."""
    found = f"{one.invariant}, seed {one.seed}, day {one.day}" if one.seed else "NOT FOUND"
    return f"{one.mutant}: {found}, {one.seconds:.0f} s of a processor"


class Campaign(msgspec.Struct, frozen=True):
    """All outcomes, and the real seconds that they took together."""

    outcomes: list[Outcome]
    seconds: float

    @property
    def years(self) -> float:
        return sum(outcome.days for outcome in self.outcomes) / 365

    @property
    def years_an_hour(self) -> float:
        """Simulated box-years in an hour of one processor."""
        return self.years / max(1e-9, sum(outcome.seconds for outcome in self.outcomes)) * 3600

    def counted(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for outcome in self.outcomes:
            total.update(outcome.counts)
        return total


def show(campaign: Campaign, planned: Plan | None) -> None:
    """Tables on standard output."""
    out = Console()
    table = drawn("Runs", "seed", "days", "steps", "history", "CPU s", "violated")
    for outcome in campaign.outcomes:
        violated = outcome.finding.invariant if outcome.finding else ""
        days, cpu = f"{outcome.days:g}", f"{outcome.seconds:.0f}"
        table.add_row(str(outcome.seed), days, f"{outcome.steps:,}", outcome.digest[:12], cpu, violated)
    out.print(table)
    out.print(figures(campaign, planned))
    for outcome in campaign.outcomes:
        if outcome.finding is not None:
            show_finding(out, outcome.seed, outcome.finding)
    found = sum(outcome.finding is not None for outcome in campaign.outcomes)
    out.print(
        f"{campaign.years:.2f} box-years, {found} violations; {campaign.seconds:.0f} s, "
        f"{campaign.years_an_hour:.1f} box-years in an hour of one processor"
    )


def figures(campaign: Campaign, planned: Plan | None) -> Table:
    """Dwell times, occupancy, refusals for lack of space, and what went wrong how often."""
    counted = campaign.counted()
    table = drawn("What happened", "what", "figure")
    dwell = sorted(value for outcome in campaign.outcomes for value in outcome.dwell_days)
    if dwell:
        mean, median, late = sum(dwell) / len(dwell), share(dwell, 0.5), share(dwell, 0.99)
        table.add_row("days in the box until collected: mean, median, p99", f"{mean:.2f}, {median:.2f}, {late:.2f}")
    for name, value in occupancy(campaign).items():
        table.add_row(name, value)
    full = counted["declined:full"]
    asked = counted["reserve"] + full
    table.add_row("refused for lack of space", f"{full:,} of {asked:,} ({full / max(1, asked):.2%})")
    if planned is not None:
        table.add_row("refused, as the plan expects", f"{planned.refused:.2%} of a load of {planned.load:.0f} erlangs")
    for event, name in EVENTS.items():
        table.add_row(name, f"{counted[event]:,}")
    return table


def occupancy(campaign: Campaign) -> dict[str, str]:
    """Compartments in use, looked at every hour; where all boxes are of one size."""
    sizes = {outcome.compartments for outcome in campaign.outcomes}
    taken = sorted(value for outcome in campaign.outcomes for value in outcome.occupancy)
    if len(sizes) > 1 or not taken:
        return {}
    mean, high = sum(taken) / len(taken), share(taken, 0.99)
    return {f"compartments in use of {sizes.pop()}: mean, p99, most": f"{mean:.1f}, {high:.0f}, {taken[-1]}"}


def share(ordered: Sequence[float], part: float) -> float:
    """The value that `part` of all do not exceed."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def show_finding(out: Console, seed: int, finding: Finding) -> None:
    """The violation: what, where, what led to it, how to see it again."""
    out.rule(f"[bold red]{escape(finding.invariant)}[/] in seed {seed}, step {finding.step}, day {finding.day}")
    out.print(escape(finding.detail))
    if finding.history:
        out.print(f"\nThe deposit {finding.deposit}:", highlight=False)
        out.print(escape("\n".join(finding.history)), highlight=False)
    out.print("\nThe last steps of all:")
    out.print(escape("\n".join(finding.last)), highlight=False)
    out.print(f"\nAgain: {escape(finding.repeat)}", highlight=False, soft_wrap=True)


def show_mutants(found: Sequence[Lost]) -> None:
    """The table of planted faults."""
    table = drawn("Planted faults", "fault", "what it does", "found by", "seed", "day", "CPU s")
    for one in found:
        by = one.invariant or "[bold red]not found[/]"
        table.add_row(one.mutant, one.about, by, str(one.seed or ""), f"{one.day:.1f}", f"{one.seconds:.0f}")
    out = Console()
    out.print(table)
    out.print(f"{sum(bool(one.seed) for one in found)} of {len(found)} found")


def drawn(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
