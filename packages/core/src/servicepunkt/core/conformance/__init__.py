"""The rules of plugins, to be asked of one's own: `check("locker")` in a test, `servicepunkt plugin check` by hand.

def test_it_keeps_the_rules() -> None:
    report = check("locker")
    assert report.failed == ()
"""

from servicepunkt.core.conformance.kit import check
from servicepunkt.core.conformance.model import Finding, Report, Rule, Trouble

__all__ = ["Finding", "Report", "Rule", "Trouble", "check"]
