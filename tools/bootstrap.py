"""Runs nox on a machine that has Python and nothing else.

Where nox is not importable, a small environment of its own is made in .nox/bootstrap, with nox and uv in the versions
of constraints.txt. This file must at least parse on older Pythons, so that they get a sentence and not a traceback.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".nox" / "bootstrap"
CONSTRAINTS = ROOT / "constraints.txt"


def run_nox(arguments: list[str]) -> None:
    """Replace this process by nox with these arguments. Does not return."""
    if sys.version_info < (3, 11):  # noqa: UP036  the sentence is for those who are below the minimum
        sys.exit("Servicepunkt needs Python 3.11 or newer; this is {}.".format(sys.version.split()[0]))
    python = sys.executable if importlib.util.find_spec("nox") else _prepared_python()
    command = [python, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), *arguments]
    sys.stdout.flush()
    os.execv(python, command)


def _prepared_python() -> str:
    """The Python of the bootstrap environment, which is made or renewed when the pinned versions ask for it."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "made-from"
    wanted = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text("ascii") == wanted:
        return str(python)
    print("Preparing nox in {} ...".format(ENVIRONMENT.relative_to(ROOT)), flush=True)
    _ensure_venv()
    _run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(CONSTRAINTS)]
    # uv makes every later step several times faster, but has no wheel for every kind of machine
    if subprocess.call([*install, "nox", "uv"]) != 0:
        print("uv could not be installed here; going on with pip alone.", flush=True)
        _run(*install, "nox")
    stamp.write_text(wanted, "ascii")
    return str(python)


def _ensure_venv() -> None:
    """Debian splits `venv` off into a package of its own: install it as root, else say its name."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        sys.exit(
            "This Python cannot make virtual environments. On Debian and Ubuntu run\n"
            "    sudo apt-get install {}\nand start this again.".format(package)
        )
    print("This Python cannot make virtual environments; installing {} ...".format(package), flush=True)
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    _run("apt-get", "-qq", "update")
    _run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", package)
    importlib.invalidate_caches()


def _run(*command: str) -> None:
    code = subprocess.call(command)
    if code != 0:
        sys.exit("{} failed with exit code {}.".format(" ".join(command), code))
