"""The size of a box: the reference's figures, the textbook's, and what hold periods and reminders change."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.dokbox import plan


@pytest.mark.parametrize(
    ("documents", "dwell_days", "compartments"),
    [
        *[(20_000, days, n) for days, n in ((3, 185), (4, 241), (5, 297), (7, 409), (14, 796))],
        *[(3_785, days, n) for days, n in ((3, 43), (4, 54), (5, 66), (7, 88), (14, 165))],
    ],
)
def test_figures_of_the_reference(documents: int, dwell_days: int, compartments: int) -> None:
    demand = plan.Demand(documents=documents, dwell_days=dwell_days)
    assert plan.line(demand, None, refused=0.01).compartments == compartments


@pytest.mark.parametrize(
    ("load", "servers", "share"), [(1.0, 1, 0.5), (2.0, 2, 0.4), (10.0, 10, 0.2146), (5.0, 10, 0.0184)]
)
def test_textbook_values_of_the_loss_formula(load: float, servers: int, share: float) -> None:
    assert plan.blocking(load, servers) == pytest.approx(share, abs=5e-5)


@given(st.floats(0.01, 500), st.floats(0.001, 0.5))
def test_one_compartment_less_would_refuse_too_many(load: float, refused: float) -> None:
    needed = plan.compartments_needed(load, refused)
    assert plan.blocking(load, needed) < refused <= plan.blocking(load, needed - 1)


def test_a_shorter_hold_period_needs_less_and_returns_more() -> None:
    demand = plan.Demand(documents=20_000, dwell_days=5, reminders=(3, 6))
    lines = [plan.line(demand, days, refused=0.01) for days in (3, 7, 14, 28)]
    assert [line.compartments for line in lines] == sorted(line.compartments for line in lines)
    assert [line.returned for line in lines] == sorted((line.returned for line in lines), reverse=True)
    for days, without in zip((7, 14, 28), lines[1:], strict=True):
        reminded = plan.line(demand, days, refused=0.01, reminded=True)
        assert (reminded.compartments, reminded.returned) < (without.compartments, without.returned)


def test_a_hold_period_without_end_is_the_plain_mean() -> None:
    demand = plan.Demand(documents=1, dwell_days=5)
    assert plan.stay(demand, 1000, reminded=False).mean_days == pytest.approx(5)


@pytest.mark.parametrize(
    "fields", [{"documents": -1}, {"dwell_days": 0.5}, {"days": 0}, {"reminders": (0,)}, {"reminder_factor": 0.5}]
)
def test_impossible_demand_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"reminder|documents"):
        plan.Demand(**{"documents": 1, "dwell_days": 5, **fields})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="share"):
        plan.compartments_needed(1.0, 0.0)


def test_the_picture_is_well_formed() -> None:
    svg = plan.picture(plan.Demand(documents=20_000, dwell_days=5, reminders=(3,)), range(1, 31), refused=0.01)
    root = ET.fromstring(svg)
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2


def test_the_command(tmp_path: Path) -> None:
    runner = pytest.importorskip("click.testing").CliRunner()
    cli = pytest.importorskip("servicepunkt.dokbox.cli")
    arguments = ["plan", "--documents", "20000", "--dwell-days", "5", "--reminder", "3"]
    shown = runner.invoke(cli.box, arguments)
    assert shown.exit_code == 0
    assert "297" in shown.output
    done = runner.invoke(cli.box, [*arguments, "--json", "--plot", str(tmp_path / "plan.svg")])
    assert json.loads(done.output)["plain"][0]["compartments"] == 297
    assert (tmp_path / "plan.svg").read_text().startswith("<svg")
