"""The probes are a package beside the tests; their own commands find it the same way."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = str(Path(__file__).parent.parent)
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)
