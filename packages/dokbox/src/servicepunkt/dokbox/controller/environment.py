"""What the box's computer is told by SERVICEPUNKT_BOX_* environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from servicepunkt.core.errors import SettingsError
from servicepunkt.dokbox.vault import FileVault, RemoteVault, Vault, VaultKind
from servicepunkt.dokbox.vault.model import Randomness
from servicepunkt.dokbox.vault.tools import Tpm
from servicepunkt.dokbox.vault.tpm import TpmVault

PREFIX = "SERVICEPUNKT_BOX_"
PCRS = r"^(sha256|sha384):[0-9]{1,2}(,[0-9]{1,2}){0,7}\Z"


class BoxEnvironment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SERVICEPUNKT_BOX_VAULT and so on; the field name in capitals after the prefix.

    vault        where the peppers are: file, tpm (a TPM 2.0), or centre (delivered after each start, in memory alone)
    rotate_days  after so many days new codes are made with a new pepper
    tpm          how tpm2-tools reach the TPM (TCTI)
    tpm_pcrs     the platform configuration registers that have to be unchanged for the TPM to give anything out
    """

    vault: VaultKind = "file"
    rotate_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    tpm: Annotated[str, Meta(max_length=200)] = "device:/dev/tpmrm0"
    tpm_pcrs: Annotated[str, Meta(pattern=PCRS)] = "sha256:7"

    @property
    def pepper_life(self) -> timedelta:
        return timedelta(days=self.rotate_days)


def read_environment(environment: Mapping[str, str]) -> BoxEnvironment:
    """Raises SettingsError, also for a variable that does not exist."""
    given = {key.removeprefix(PREFIX).lower(): value for key, value in environment.items() if key.startswith(PREFIX)}
    known = BoxEnvironment.__struct_fields__
    if unknown := sorted(PREFIX + re.sub(r"\W", "?", name).upper() for name in given if name not in known):
        names = ", ".join(PREFIX + name.upper() for name in known)
        raise SettingsError(f"unknown settings: {', '.join(unknown)}; known are {names}")
    try:
        return msgspec.convert(given, BoxEnvironment, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from error


def open_vault(environment: BoxEnvironment, folder: Path, randomness: Randomness) -> Vault:
    """The vault of the wanted kind; `folder` is where keys lie as files. Raises VaultError."""
    match environment.vault:
        case "tpm":
            return TpmVault(Tpm(environment.tpm, environment.tpm_pcrs), randomness)
        case "centre":
            return RemoteVault(folder, randomness)
        case "file":
            return FileVault(folder, randomness)
