"""How large the world of a run is, how people are, and how often what fails. Shares are of visits or documents."""

from __future__ import annotations

import random

import msgspec


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of year. `documents` and the faults with `_a_year` count for 365 days; times are seconds or days."""

    name: str
    compartments: int
    documents: int
    dwell_days: float = 5.0
    hold_days: int = 14
    sensors: bool = True
    tick: float = 1.0
    # documents and staff
    thin: float = 0.1
    family: float = 0.2
    give_up_loading: float = 0.0
    hasty_clerk: float = 0.0
    same_clerk: float = 0.05
    new_code: float = 0.01
    wrong_number: float = 0.01
    message_fails: float = 0.01
    promises: bool = True
    extends: float = 0.01
    longer_with_code: float = 0.1
    put_back: float = 0.1
    tells_all: bool = True
    inventories_a_year: float = 2
    new_files_a_year: float = 2
    slow_messages: float = 60.0
    # citizens
    never_come: float = 0.02
    mistype: float = 0.08
    old_code: float = 0.3
    walk_away: float = 0.01
    answer_no: float = 0.01
    press_early: float = 0.02
    wrong_proof: float = 0.05
    slow_proof: float = 0.02
    walk_off: float = 0.01
    come_back: float = 0.2
    wrong_old: float = 0.02
    late_attest: float = 0.02
    guessers_a_year: float = 5
    leave_it: float = 0.003
    leave_open: float = 0.01
    say_nothing: float = 0.05
    come_twice: float = 0.05
    two_terminals: float = 0.01
    at_night: float = 0.03
    strangers_a_year: float = 50
    # the machine, the line, the doors, the network, the clock
    power_cuts_a_year: float = 6
    cuts_in_work_a_year: float = 6
    longest_dark: float = 3600.0
    line_lost_a_year: float = 12
    boards_lost_a_year: float = 6
    stuck_a_year: float = 20
    lost_replies: float = 0.001
    slot_trouble: float = 0.01
    forced_a_year: float = 2
    partitions_a_year: float = 12
    longest_partition: float = 7 * 86_400.0
    loss: float = 0.002
    duplication: float = 0.002
    stale: float = 0.0
    slow_network: float = 0.2
    clock_steps_a_year: float = 4
    no_battery: float = 0.0
    pull_plug: float = 0.0
    dice_repeat: float = 0.0


YEAR = Profile(name="year", compartments=0, documents=20_000, tick=5.0)  # compartments: as many as the plan says


def rough(seed: int) -> Profile:
    """A small box with bad luck; every seed is another one."""
    chance = random.Random(f"profile {seed}")

    def some(low: float, high: float) -> float:
        return chance.uniform(low, high)

    compartments = chance.choice([6, 8, 12, 16])
    return Profile(
        name="rough",
        compartments=compartments,
        documents=int(compartments * some(120, 180)),
        dwell_days=some(0.5, 2.0),
        hold_days=chance.choice([2, 5, 7]),
        sensors=chance.random() < 0.85,
        tick=chance.choice([1.0, 2.0, 5.0]),
        thin=some(0.1, 0.5),
        family=some(0.1, 0.5),
        give_up_loading=some(0.02, 0.1),
        hasty_clerk=some(0.02, 0.1),
        same_clerk=some(0.1, 0.4),
        new_code=some(0.05, 0.2),
        wrong_number=some(0.1, 0.4),
        message_fails=some(0.02, 0.15),
        promises=chance.random() < 0.5,
        extends=some(0.005, 0.03),
        longer_with_code=some(0.05, 0.3),
        put_back=some(0.1, 0.4),
        inventories_a_year=some(5, 50),
        new_files_a_year=some(5, 50),
        slow_messages=chance.choice([30.0, 600.0, 7200.0]),
        never_come=some(0.02, 0.15),
        mistype=some(0.1, 0.4),
        old_code=some(0.3, 0.9),
        walk_away=some(0.03, 0.1),
        answer_no=some(0.05, 0.15),
        press_early=some(0.1, 0.4),
        wrong_proof=some(0.1, 0.4),
        slow_proof=some(0.05, 0.3),
        walk_off=some(0.1, 0.4),
        come_back=some(0.2, 0.6),
        wrong_old=some(0.05, 0.2),
        late_attest=some(0.1, 0.5),
        guessers_a_year=some(100, 400),
        leave_it=some(0.05, 0.15),
        leave_open=some(0.03, 0.15),
        say_nothing=some(0.1, 0.4),
        come_twice=some(0.1, 0.4),
        two_terminals=some(0.05, 0.2),
        at_night=some(0.05, 0.2),
        strangers_a_year=some(200, 600),
        power_cuts_a_year=some(50, 200),
        cuts_in_work_a_year=some(200, 800),
        longest_dark=chance.choice([60.0, 3600.0, 3 * 86_400.0]),
        line_lost_a_year=some(50, 200),
        boards_lost_a_year=some(50, 200),
        stuck_a_year=some(50, 200),
        lost_replies=some(0.005, 0.05),
        slot_trouble=some(0.02, 0.2),
        forced_a_year=some(30, 120),
        partitions_a_year=some(20, 100),
        longest_partition=chance.choice([600.0, 86_400.0, 7 * 86_400.0]),
        loss=some(0.0, 0.1),
        duplication=some(0.0, 0.1),
        stale=chance.choice([0.0, 0.02]),
        slow_network=chance.choice([0.05, 0.5, 5.0]),
        clock_steps_a_year=some(0, 60),
        no_battery=chance.choice([0.0, 0.5]),
        pull_plug=some(0.2, 0.5),
        dice_repeat=chance.choice([0.0, 0.2, 0.5]),
    )
