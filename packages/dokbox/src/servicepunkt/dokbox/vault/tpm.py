"""Keys inside a TPM 2.0, and a counter there that no image of a disk sets back.

- One area of 32 bytes is the root of the box's keys: locator, key pairs. They are derived from it and lie on no disk.
- Each pepper is an area of its own. Erasing it erases it in the chip: no copy of a disk brings it back, which a
  sealed file could not promise.
- Areas are read under a policy of platform configuration registers (setting SERVICEPUNKT_BOX_TPM_PCRS): another
  system that is started on this computer does not get them.
- The counter (TPM 2.0 Library, part 1, "NV counters") is stepped by `controller.anchor`, which says when and why.

An area that was made and not written before the power went is made again; one that was written and cannot be read is
an error, never replaced.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from servicepunkt.dokbox.vault.model import KEY_BYTES, OwnKeys, Randomness, VaultKind, following
from servicepunkt.dokbox.vault.tools import Tpm

# In the range that TCG's registry of handles leaves to the owner (01800000 to 01BFFFFF).
ROOT, COUNTER, PEPPERS = 0x01_81_15_00, 0x01_81_15_01, 0x01_81_16_00
MOST_PEPPERS = 0x8000


class TpmCounter:
    """The counter area; stepped once when it is made, for before that it has no value."""

    def __init__(self, tpm: Tpm, areas: set[int]) -> None:
        self._tpm = tpm
        if COUNTER not in areas:
            tpm.define_counter(COUNTER)
        self.fresh = not tpm.is_written(COUNTER)
        if self.fresh:
            tpm.step(COUNTER)

    def value(self) -> int:
        return self._tpm.count(COUNTER)

    def step(self) -> None:
        self._tpm.step(COUNTER)


class TpmVault(OwnKeys):
    """Everything in the TPM, read once at the start and kept in memory."""

    kind: VaultKind = "tpm"
    ready = True

    def __init__(self, tpm: Tpm, randomness: Randomness) -> None:
        self._tpm = tpm
        self._randomness = randomness
        areas = tpm.areas()
        root = self._secret(ROOT, areas)
        super().__init__(box=_derive(root, "box"), signing=_derive(root, "sign"))
        self._locator_key = _derive(root, "locator")
        kids = [str(index - PEPPERS) for index in sorted(areas) if 0 < index - PEPPERS < MOST_PEPPERS]
        self._peppers = {kid: self._secret(_area(kid), areas) for kid in kids or [following("")]}
        self.counter = TpmCounter(tpm, areas)

    @property
    def locator_key(self) -> bytes:
        return self._locator_key

    def rotate(self) -> None:
        kid = following(self.kid)
        self._peppers[kid] = self._secret(_area(kid), self._tpm.areas())

    def erase(self, kid: str) -> None:
        self._tpm.undefine(_area(kid))
        del self._peppers[kid]

    def _secret(self, index: int, areas: set[int]) -> bytes:
        if index in areas and not self._tpm.is_written(index):
            self._tpm.undefine(index)
            areas = areas - {index}
        if index not in areas:
            self._tpm.define(index, KEY_BYTES)
            self._tpm.write(index, self._randomness(KEY_BYTES))
        return self._tpm.read(index, KEY_BYTES)


def _area(kid: str) -> int:
    return PEPPERS + int(kid)


def _derive(root: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"dokbox-vault/1|{purpose}".encode()).derive(root)
