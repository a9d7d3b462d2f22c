"""The box's own secrets, kept outside the journal: peppers, the locator key, the box's key pairs, a counter."""

from servicepunkt.dokbox.vault.file import FileVault
from servicepunkt.dokbox.vault.model import HPKE, Counter, Vault, VaultKind, seal_to
from servicepunkt.dokbox.vault.remote import RemoteVault

__all__ = ["HPKE", "Counter", "FileVault", "RemoteVault", "Vault", "VaultKind", "seal_to"]
