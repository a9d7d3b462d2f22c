"""The files in reference_kassel/deploy: systemd, nginx, PostgreSQL and Prometheus take them, and they are tight."""

from __future__ import annotations

import configparser
import datetime
import http.server
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import REGISTRY

from servicepunkt.core import cli
from servicepunkt.core.db import check
from servicepunkt.core.db.cluster import Cluster, programs_of
from servicepunkt.core.db.embedded import urls_at
from servicepunkt.core.db.migrate import upgrade
from servicepunkt.core.deployment import load_plugins
from servicepunkt.core.errors import MissingProgramError
from servicepunkt.core.settings import Settings, read_settings

DEPLOY = Path(__file__).resolve().parent.parent / "reference_kassel" / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
WORST = 1.4  # exposure as systemd counts it, of 10


def absent(sentence: str) -> None:
    """Skip loudly, or fail in CI."""
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if not found:
        absent(f"{name} is not installed")
    return str(found)


def service(unit: Path) -> configparser.SectionProxy:
    read = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(unit.read_text())
    return read["Service"]


def understood(words: list[str]) -> None:
    """The command line parses them, without doing anything."""
    command: click.Command = cli.root(load_plugins(Settings()))
    while isinstance(command, click.Group):
        context = click.Context(command)
        name, found, words = command.resolve_command(context, words)
        assert found, name
        command = found
    with click.Context(command) as context:
        command.parse_args(context, words)


# --- systemd --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_command_of_each_unit_is_one_that_there_is(unit: Path, tmp_path: Path) -> None:
    path, *words = shlex.split(service(unit)["ExecStart"])
    assert Path(path).name == "servicepunkt"
    # `rehearse` wants a folder that is there.
    understood(
        [word.replace("%i", "8600").replace("/var/lib/servicepunkt-backup/copies", str(tmp_path)) for word in words]
    )


@pytest.mark.parametrize("name", ["centre.env", "owner.env", "backup.env"])
def test_the_environments_are_taken_and_hold_no_secret(name: str) -> None:
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if line and not line.startswith("#")]
    variables = {key: value for key, _, value in (line.partition("=") for line in lines)}
    read_settings(variables)
    assert not [value for value in variables.values() if re.search(r"//[^/@]*:[^/@]*@", value)]
    if name == "centre.env":
        assert not {"SERVICEPUNKT_OWNER_DATABASE_URL", "SERVICEPUNKT_BACKUP_DATABASE_URL"} & set(variables)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_unit_and_finds_its_sandbox_tight(unit: Path, tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    here = [line for line in unit.read_text().splitlines() if not line.startswith(("User", "Group"))]
    copy = tmp_path / unit.name.replace("@.", "@8600.")
    copy.write_text("\n".join(here).replace("/opt/servicepunkt/bin/servicepunkt", "/bin/true"))
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_LOG_LEVEL": "warning"}
    checked = subprocess.run([analyze, "verify", copy], check=False, capture_output=True, text=True, env=environment)
    assert (checked.returncode, checked.stderr) == (0, "")
    judged = [analyze, "security", "--offline=true", f"--threshold={int(WORST * 10)}", str(unit)]
    subprocess.run(judged, capture_output=True, check=True, env=environment)


@pytest.mark.parametrize("timer", sorted((DEPLOY / "systemd").glob("*.timer")), ids=lambda timer: timer.stem)
def test_timers_start_a_unit_at_a_time_that_systemd_knows(timer: Path) -> None:
    assert timer.with_suffix(".service") in UNITS
    when = re.search(r"OnCalendar=(.*)", timer.read_text())
    assert when
    subprocess.run([program("systemd-analyze"), "calendar", when[1]], check=True, capture_output=True)


# --- nginx ----------------------------------------------------------------------------------------------------


class Echo(http.server.BaseHTTPRequestHandler):
    """A process of the centre that answers with what it is told."""

    def do_GET(self) -> None:
        body = f"{self.path}|{self.headers['Host']}|{self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "servicepoint.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    (folder / "fullchain.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(encoded)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[str]:
    """nginx with the file as it is, but for its ports and places; behind it one process answers and one is gone."""
    nginx = program("nginx")
    plain, tls, alive, gone = free_ports(4)
    certificate(tmp_path)
    text = (DEPLOY / "nginx.conf").read_text()
    text = re.sub(r"^\s*listen \[::\].*$", "", text, flags=re.MULTILINE)
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ", f"listen 127.0.0.1:{tls} "),
        ("127.0.0.1:8600", f"127.0.0.1:{gone}"),
        ("127.0.0.1:8601", f"127.0.0.1:{alive}"),
        ("/etc/ssl/servicepunkt", str(tmp_path)),
        ("/var/log/nginx", str(tmp_path)),
    ):
        assert old in text
        text = text.replace(old, new)
    places = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}} http {{ {places} {text} }}"
        + ("\nuser root;" if os.geteuid() == 0 else "")
    )
    command = [nginx, "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")]
    tested = subprocess.run([*command, "-t"], check=False, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
    behind = http.server.ThreadingHTTPServer(("127.0.0.1", alive), Echo)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 20
        while not reachable(tls):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        yield f"https://127.0.0.1:{tls}"
    finally:
        process.terminate()
        process.wait(20)
        behind.shutdown()
        behind.server_close()


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_proxy_passes_on_what_is_for_people_and_keeps_the_rest(proxy: str, tmp_path: Path) -> None:
    headers = {"Host": "servicepoint.example.org", "X-Forwarded-For": "203.0.113.9"}
    with httpx.Client(verify=False, headers=headers) as client:
        for _ in range(4):
            answer = client.get(f"{proxy}/t/town/search?q=CANARY")
            assert answer.text == "/t/town/search?q=CANARY|servicepoint.example.org|127.0.0.1"
        assert "max-age" in answer.headers["Strict-Transport-Security"]
        for path in ("/metrics", "/health/ready", "/health/live", "/metrics/"):
            assert client.get(proxy + path).status_code == 404
    said = (tmp_path / "servicepunkt.log").read_text()
    assert "/t/town/search 200" in said
    assert "CANARY" not in said
    assert "127.0.0.1" not in said


# --- PostgreSQL -----------------------------------------------------------------------------------------------


def test_postgresql_takes_its_files_and_the_check_is_silent() -> None:
    try:
        programs = programs_of(15)
    except MissingProgramError:
        absent("PostgreSQL 15 is not installed")
        raise
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home:
        Path(home).chmod(0o711)
        cluster = Cluster(Path(home) / "cluster", programs)
        cluster.create()
        with (cluster.data / "postgresql.conf").open("a") as file:
            file.write((DEPLOY / "postgresql" / "servicepunkt.conf").read_text().replace("'1GB'", "'32MB'"))
        with cluster.running(), psycopg.connect(cluster.conninfo, autocommit=True) as connection:
            assert (
                connection.execute("SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL").fetchall() == []
            )
            for statement in (DEPLOY / "postgresql" / "roles.sql").read_text().split(";\n"):
                if statement.strip():
                    connection.execute(statement.encode())
            urls, plugins = urls_at(cluster.sockets), load_plugins(Settings())
            upgrade(urls.owner, plugins)
            assert check.violations(urls.application) + check.server_faults(urls.application) == []
            with pytest.raises(psycopg.Error) as caught:
                connection.execute("SELECT 'CANARY'::int")
            assert "CANARY" in str(caught.value)
            # What the visitors of a server may do is read, not tried: there are no such accounts here.
            for name in ("pg_hba.conf", "pg_ident.conf"):
                shutil.copyfile(DEPLOY / "postgresql" / name, cluster.data / name)
            rules = connection.execute("SELECT error, type, user_name, auth_method FROM pg_hba_file_rules").fetchall()
            assert [rule[0] for rule in rules] == [None] * len(rules)
            assert {rule[3] for rule in rules} == {"peer", "reject"}
            assert rules[-1][1:] == ("host", ["all"], "reject")
            maps = connection.execute("SELECT error, sys_name, pg_username FROM pg_ident_file_mappings").fetchall()
            assert [row[1] for row in maps if row[2] == "servicepunkt_owner"] == [
                "servicepunkt-owner",
                "servicepunkt-backup",
            ]
            assert {row[0] for row in maps} == {None}


# --- Prometheus and the runbook -------------------------------------------------------------------------------


def test_alerts_are_rules_over_metrics_that_there_are() -> None:
    subprocess.run([program("promtool"), "check", "rules", str(DEPLOY / "alerts.yml")], check=True, capture_output=True)
    load_plugins(Settings())
    known = {f"{sample.name}{end}" for sample in REGISTRY.collect() for end in ("", "_total", "_count", "_bucket")}
    used = set(re.findall(r"\bservicepunkt_\w+", (DEPLOY / "alerts.yml").read_text()))
    assert len(used) > 6
    assert used <= known


def test_every_alert_leads_to_a_section_of_the_runbook() -> None:
    headings = re.findall(r"^## (.*)$", (DEPLOY / "README.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    alerts = (DEPLOY / "alerts.yml").read_text()
    led = re.findall(r'runbook: "README\.md#([\w-]+)"', alerts)
    assert len(led) == alerts.count("- alert:")
    assert set(led) <= anchors


def test_the_image_runs_a_command_that_there_is_from_files_that_there_are() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    words = re.search(r"^CMD \[(.*)\]$", text, re.MULTILINE)
    assert words
    understood([word.strip(' "') for word in words[1].split(",")][1:])
    assert "USER servicepunkt" in text.partition('CMD ["servicepunkt"')[0]
    copied = re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE)
    assert copied == ["requirements.lock", "dist/*.whl"]
    assert (DEPLOY.parent.parent / copied[0]).is_file()
