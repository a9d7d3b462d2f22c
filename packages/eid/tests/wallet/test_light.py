"""What the wallet's verifier needs: nothing of the house, and cbor2 for CBOR alone."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["cbor2"] = None
import servicepunkt.eid.testing.wallet
from servicepunkt.eid.wallet import attributes, dcql, jose, jwe, request, sdjwt, status, trust, verifier
print([name for name in sys.modules if name.startswith(("servicepunkt.core", "servicepunkt.web", "websockets"))])
for name in ("cbor", "cose", "mdoc"):
    try:
        __import__(f"servicepunkt.eid.wallet.{name}")
    except ImportError:
        continue
    raise SystemExit(f"{name} does without")
"""


def test_only_three_modules_need_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
