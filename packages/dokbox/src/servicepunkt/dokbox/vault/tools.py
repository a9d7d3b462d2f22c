"""The commands of tpm2-tools (5.x) that a vault needs: areas and counters in the non-volatile memory of a TPM 2.0.

No shell, a time limit for each call. Secrets go in by standard input and come out by standard output; the one file is
the digest of the policy, which is no secret, in a folder of rights 0700 in memory. Behind a resource manager
(`device:/dev/tpmrm0`) nothing stays loaded; without one, objects and sessions are flushed after each command.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from servicepunkt.dokbox.errors import VaultError

TIMEOUT = 10.0  # seconds; a slow chip takes one for a policy and a read
MANAGED = ("device:/dev/tpmrm", "tabrmd")
HANDLE = re.compile(rb"0x([0-9A-Fa-f]{1,8})")
COUNTER_BYTES = 8


class Tpm:
    """A TPM behind `tcti`; areas can be read while its `pcrs` are what they were when the area was made.

    Every method raises VaultError.
    """

    def __init__(self, tcti: str, pcrs: str) -> None:
        self._tcti = tcti
        self._pcrs = pcrs

    def areas(self) -> set[int]:
        """The indexes that exist."""
        return {int(found, 16) for found in HANDLE.findall(self._run("getcap", "handles-nv-index"))}

    def is_written(self, index: int) -> bool:
        """Whether an area was written since it was made, or a counter stepped."""
        lines = self._run("nvreadpublic", hex(index)).splitlines()
        attributes = [line for line in lines if b"friendly:" in line and b"|" in line]
        return any(b"written" in line.replace(b"|", b" ").split() for line in attributes)

    def define(self, index: int, size: int) -> None:
        """Make an area that nobody but the policy reads or writes."""
        memory = Path("/dev/shm")  # noqa: S108 - the folder in it is ours alone
        with tempfile.TemporaryDirectory(prefix="servicepunkt-", dir=memory if memory.is_dir() else None) as folder:
            policy = str(Path(folder) / "policy")
            self._run("createpolicy", "--policy-pcr", "-l", self._pcrs, "-L", policy)
            attributes = "policyread|policywrite|no_da"
            self._run("nvdefine", hex(index), "-C", "o", "-s", str(size), "-a", attributes, "-L", policy)

    def undefine(self, index: int) -> None:
        """Erase an area for good: no image of any disk brings it back."""
        self._run("nvundefine", hex(index), "-C", "o")

    def read(self, index: int, size: int) -> bytes:
        found = self._run("nvread", hex(index), "-C", hex(index), "-P", f"pcr:{self._pcrs}", "-s", str(size))
        if len(found) != size:
            raise VaultError(index=hex(index), reason="the area has another size")
        return found

    def write(self, index: int, content: bytes) -> None:
        policy = ("-C", hex(index), "-P", f"pcr:{self._pcrs}")
        self._run("nvwrite", hex(index), *policy, "-i", "-", given=content)

    def define_counter(self, index: int) -> None:
        self._run("nvdefine", hex(index), "-C", "o", "-s", str(COUNTER_BYTES), "-a", "ownerread|ownerwrite|no_da|nt=1")

    def step(self, index: int) -> None:
        self._run("nvincrement", hex(index), "-C", "o")

    def count(self, index: int) -> int:
        return int.from_bytes(self._run("nvread", hex(index), "-C", "o", "-s", str(COUNTER_BYTES)), "big")

    def _run(self, command: str, *arguments: str, given: bytes = b"") -> bytes:
        answer = self._call(command, *arguments, given=given)
        if not self._tcti.startswith(MANAGED):
            for objects in ("-t", "-l"):  # transient objects, loaded sessions
                self._call("flushcontext", objects)
        return answer

    def _call(self, command: str, *arguments: str, given: bytes = b"") -> bytes:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TPM2TOOLS_TCTI": self._tcti}
        try:
            done = subprocess.run(  # noqa: S603 - no shell, fixed commands, arguments of our own
                [f"tpm2_{command}", *arguments], input=given, capture_output=True, timeout=TIMEOUT, env=environment
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise VaultError(command=command, reason=type(error).__name__) from error
        if done.returncode != 0:
            raise VaultError(command=command, reason=_reason(done.stderr))
        return done.stdout


def _reason(said: bytes) -> str:
    """The TPM's own code, which is what its manual explains."""
    found = re.search(rb"\((0x[0-9A-Fa-f]+)\)", said)
    return hex(int(found[1], 16)) if found else "it ended with an error"
