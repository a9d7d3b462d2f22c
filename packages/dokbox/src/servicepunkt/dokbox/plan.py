"""How many compartments a box needs, by queueing theory: arrivals at random, none may wait (Erlang's loss formula).

Offered load in erlangs = documents a day × mean days in the box. Source: A. K. Erlang, 1917; the recursion is the
usual one, exact and without factorials. The model of hold period and reminders is ours and simple: each day the same
share of those who have not come yet comes; after a reminder that share is multiplied; what is left when the hold
period ends goes back and frees the compartment.
"""

from collections.abc import Sequence

import msgspec

LONGEST_STAY = 365  # days after which nobody is counted any more


def blocking(load: float, compartments: int) -> float:
    """The share of documents that find the box full. `load` in erlangs."""
    share = 1.0
    for n in range(1, compartments + 1):
        share = load * share / (n + load * share)
    return share


def compartments_needed(load: float, refused: float) -> int:
    """The fewest compartments with which less than `refused` (0 to 1) of the documents find the box full."""
    if not 0 < refused < 1 or load < 0:
        raise ValueError("the load is not negative, and the share of refused documents between 0 and 1")
    share, n = 1.0, 0
    while share >= refused:
        n += 1
        share = load * share / (n + load * share)
    return n


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What comes and how it goes. `dwell_days`: mean days until somebody comes, if nobody reminded and none ended it.

    `days`: on how many days of the year documents are laid in. `reminders`: the days after which a reminder goes
    out; `reminder_factor`: how many times likelier somebody comes on each day after one.
    """

    documents: int
    dwell_days: float
    days: int = 365
    reminders: tuple[int, ...] = ()
    reminder_factor: float = 1.5

    def __post_init__(self) -> None:
        if self.documents < 0 or not 1 <= self.days <= 366 or self.dwell_days < 1:
            raise ValueError("documents are not negative, a year has 1 to 366 days, a stay lasts a day or longer")
        if self.reminder_factor < 1 or any(day < 1 for day in self.reminders):
            raise ValueError("a reminder goes out after a day or later, and keeps nobody away")


class Stay(msgspec.Struct, frozen=True):
    """How long a document lies in the box, mean in days, and the share that is not collected in time."""

    mean_days: float
    returned: float


class Line(msgspec.Struct, frozen=True):
    """One line of a plan: a hold period, None for none, and what it means."""

    hold_days: int | None
    load: float
    returned: float
    compartments: int


def stay(demand: Demand, hold_days: int | None, *, reminded: bool) -> Stay:
    """Without a hold period the mean is `dwell_days`, unless reminders shorten it."""
    if hold_days is None and not (reminded and demand.reminders):
        return Stay(demand.dwell_days, 0.0)
    there, mean = 1.0, 0.0
    for day in range(hold_days if hold_days is not None else LONGEST_STAY):
        comes = 1 / demand.dwell_days
        if reminded:
            comes *= demand.reminder_factor ** sum(day >= reminder for reminder in demand.reminders)
        mean += there
        there *= 1 - min(comes, 1.0)
    return Stay(mean, there if hold_days is not None else 0.0)


def line(demand: Demand, hold_days: int | None, *, refused: float, reminded: bool = False) -> Line:
    """What a hold period needs."""
    found = stay(demand, hold_days, reminded=reminded)
    load = demand.documents / demand.days * found.mean_days
    return Line(hold_days, load, found.returned, compartments_needed(load, refused))


# ---- The picture -----------------------------------------------------------------------------------------

WIDTH, HEIGHT, EDGE = 720, 400, 56


def picture(demand: Demand, hold_periods: Sequence[int], *, refused: float) -> str:
    """Compartments over hold periods as SVG: without reminders, and with them where there are some."""
    curves = [("without reminders", "#003064", [line(demand, days, refused=refused) for days in hold_periods])]
    if demand.reminders:
        lines = [line(demand, days, refused=refused, reminded=True) for days in hold_periods]
        curves.append((f"reminders after {', '.join(map(str, demand.reminders))} days", "#B54B00", lines))
    highest = max(point.compartments for _, _, lines in curves for point in lines)
    first, last = hold_periods[0], hold_periods[-1]

    def x(days: float) -> float:
        return EDGE + (days - first) / max(1, last - first) * (WIDTH - 2 * EDGE)

    def y(compartments: float) -> float:
        return HEIGHT - EDGE - compartments / max(1, highest) * (HEIGHT - 2 * EDGE)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif">',
        f"<title>Compartments for {demand.documents} documents a year, over the hold period</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<path d="M{EDGE} {EDGE / 2}V{HEIGHT - EDGE}H{WIDTH - EDGE / 2}" fill="none" stroke="#444"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle" font-size="14">hold period in days</text>',
        f'<text x="12" y="{EDGE / 2 - 8}" font-size="14">compartments, less than {refused:.1%} refused</text>',
    ]
    for days in hold_periods[:: max(1, len(hold_periods) // 10)]:
        parts.append(
            f'<text x="{x(days):.0f}" y="{HEIGHT - EDGE + 20}" text-anchor="middle" font-size="12">{days}</text>'
        )
    for share in range(5):
        mark = highest * share / 4
        parts.append(f'<text x="{EDGE - 8}" y="{y(mark) + 4:.0f}" text-anchor="end" font-size="12">{mark:.0f}</text>')
        parts.append(f'<path d="M{EDGE} {y(mark):.0f}H{WIDTH - EDGE / 2}" stroke="#ddd"/>')
    for place, (name, colour, lines) in enumerate(curves):
        points = " ".join(f"{x(point.hold_days or 0):.1f},{y(point.compartments):.1f}" for point in lines)
        dash = ' stroke-dasharray="7 4"' if place else ""  # told apart without colour, too
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"{dash}/>')
        end = lines[-1]
        parts.append(
            f'<text x="{WIDTH - EDGE / 2}" y="{y(end.compartments) - 8:.0f}" text-anchor="end" '
            f'font-size="13" fill="{colour}">{name}: {end.compartments}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
