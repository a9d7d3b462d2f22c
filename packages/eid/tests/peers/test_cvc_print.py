"""OpenPACE's cvc-print reads our certificates and descriptions, and we read nothing that it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from servicepunkt.eid.cvc import CertificateDescription
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.pki import sector

TODAY = date(2026, 11, 22)
DESCRIPTION = CertificateDescription(
    issuer_name="Test DV", issuer_url="https://verifier.example", subject_name="Stadt Musterstadt",
    subject_url="https://stadt.example", terms="Zweck: Test", communication_certificates=(bytes(32), b"\x01" * 32),
)  # fmt: skip


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities.new(today=TODAY)


def printed(program: Callable[[str], str], *arguments: str) -> str:
    """What it says, with 'refused' in front where it ended with an error."""
    run = subprocess.run([program("cvc-print"), *arguments], capture_output=True, text=True, timeout=20, check=False)
    said = run.stdout + run.stderr
    return said if run.returncode == 0 else "refused\n" + said


@pytest.mark.parametrize("which", ["country", "official", "verifier", "terminal"])
def test_a_certificate_is_read(
    which: str, authorities: Authorities, program: Callable[[str], str], tmp_path: Path
) -> None:
    terminal = authorities.terminal(extensions=(DESCRIPTION.extension(), sector(authorities.sector_key)))
    holder = terminal if which == "terminal" else getattr(authorities, which)
    file = tmp_path / "certificate.cvcert"
    file.write_bytes(holder.certificate.encode())
    said = printed(program, f"--cvc={file}")
    assert not said.startswith("refused"), said
    assert holder.certificate.holder in said
    assert holder.certificate.authority in said
    file.write_bytes(holder.certificate.encode()[:-20])
    assert printed(program, f"--cvc={file}").startswith("refused")


def test_a_description_is_read_and_belongs_to_its_certificate(
    authorities: Authorities, program: Callable[[str], str], tmp_path: Path
) -> None:
    terminal = authorities.terminal(extensions=(DESCRIPTION.extension(),))
    certificate, description = tmp_path / "terminal.cvcert", tmp_path / "terminal.desc"
    certificate.write_bytes(terminal.certificate.encode())
    description.write_bytes(DESCRIPTION.encode())
    arguments = [f"--cvc={certificate}", f"--description={description}"]
    said = printed(program, *arguments)
    assert "Stadt Musterstadt" in said
    assert "certificate description matches certificate" in said


def test_a_chain_is_verified(authorities: Authorities, program: Callable[[str], str], tmp_path: Path) -> None:
    """OpenPACE looks for whoever signed in a folder, by the reference of its certificate."""
    known = tmp_path / "known"
    known.mkdir()
    certificate = tmp_path / "one.cvcert"
    certificate.write_bytes(authorities.verifier.certificate.encode())
    arguments = [f"--cvc={certificate}", f"--cvc-dir={known}/"]
    assert "certificate not verified" in printed(program, *arguments)
    (known / authorities.country.name).write_bytes(authorities.country.certificate.encode())
    assert "certificate verified" in printed(program, *arguments)
    changed = bytearray(authorities.verifier.certificate.encode())
    changed[-1] ^= 1
    certificate.write_bytes(changed)
    assert "certificate verified" not in printed(program, *arguments)
