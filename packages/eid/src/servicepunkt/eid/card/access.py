"""What a card can do: the SecurityInfos of EF.CardAccess and EF.CardSecurity (TR-03110-3 §A.1). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from servicepunkt.eid.curve import BY_PARAMETER, Curve
from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.tlv import only, parse

#: 0.4.0.127.0.7.2.2
PROTOCOLS = bytes.fromhex("04007F00070202")
_PACE, _CHIP, _CHIP_KEY, _RESTRICTED = (PROTOCOLS + bytes([number]) for number in (4, 3, 1, 5))
#: Last part of an object identifier → bytes of the key of AES; others are not spoken here (3DES is forbidden).
KEY_SIZES: Mapping[int, int] = {2: 16, 3: 24, 4: 32}
#: 2: ECDH with the generic mapping. The integrated one and DH are on no German card.
ECDH_GENERIC = 2
SEQUENCE, SET, OID, INTEGER = 0x30, 0x31, 0x06, 0x02


class Protocol(msgspec.Struct, frozen=True):
    """A protocol of the card: its object identifier (the value of the TLV), its curve, and the number of its key."""

    oid: bytes
    curve: Curve
    key_id: int | None = None

    @property
    def key_size(self) -> int:
        return KEY_SIZES[self.oid[-1]]


class ChipKey(msgspec.Struct, frozen=True):
    """A public key for chip authentication from EF.CardSecurity."""

    curve: Curve
    point: bytes
    key_id: int | None = None


class SecurityInfos(msgspec.Struct, frozen=True):
    """What was understood; kinds that are not known are left out, as the standard wants it."""

    pace: tuple[Protocol, ...] = ()
    chip: tuple[Protocol, ...] = ()
    keys: tuple[ChipKey, ...] = ()
    restricted: tuple[tuple[bytes, int], ...] = ()


def security_infos(data: bytes) -> SecurityInfos:
    """From the SET of SecurityInfo. Raises MalformedError."""
    pace: list[Protocol] = []
    chip: dict[int | None, bytes] = {}
    domains: dict[int | None, Curve] = {}
    keys: list[ChipKey] = []
    restricted: list[tuple[bytes, int]] = []
    for oid, values in _infos(data):
        if oid.startswith(_PACE) and len(oid) == len(_PACE) + 2 and oid[-2] == ECDH_GENERIC and oid[-1] in KEY_SIZES:
            curve = BY_PARAMETER.get(_number(values, 1, 0))
            if curve is not None:
                pace.append(Protocol(oid, curve))
        elif oid.startswith(_CHIP) and len(oid) == len(_CHIP) + 2 and oid[-2] == 2 and oid[-1] in KEY_SIZES:
            if _number(values, 0, 0) == 2:
                chip[_optional(values, 1)] = oid
        elif oid == _CHIP + b"\x02" and (curve := _domain(values)) is not None:
            domains[_optional(values, 1)] = curve
        elif oid == _CHIP_KEY + b"\x02" and (key := _key(values)) is not None:
            keys.append(key)
        elif oid.startswith(_RESTRICTED) and len(oid) == len(_RESTRICTED) + 2 and values:
            restricted.append((oid, _restricted_key(values)))
    agreed = tuple(Protocol(oid, domains[key_id], key_id) for key_id, oid in chip.items() if key_id in domains)
    return SecurityInfos(tuple(pace), agreed, tuple(keys), tuple(restricted))


def _infos(data: bytes) -> Iterator[tuple[bytes, list[tuple[int, bytes]]]]:
    for info in parse(only(data, SET)):
        parts = parse(info.value) if info.tag == SEQUENCE else ()
        if len(parts) < 2 or parts[0].tag != OID:
            raise MalformedError(what="SecurityInfo", why="no identifier")
        yield parts[0].value, [(part.tag, part.value) for part in parts[1:]]


def _number(values: list[tuple[int, bytes]], index: int, missing: int) -> int:
    found = _optional(values, index)
    return missing if found is None else found


def _optional(values: list[tuple[int, bytes]], index: int) -> int | None:
    if len(values) <= index or values[index][0] != INTEGER or not 0 < len(values[index][1]) <= 4:
        return None
    return int.from_bytes(values[index][1], "big", signed=True)


def _domain(values: list[tuple[int, bytes]]) -> Curve | None:
    """Standardized domain parameters: the identifier 0.4.0.127.0.7.1.2 and their number."""
    parts = parse(values[0][1]) if values[0][0] == SEQUENCE else ()
    if len(parts) != 2 or parts[0].value != bytes.fromhex("04007F00070102") or parts[1].tag != INTEGER:
        return None
    return BY_PARAMETER.get(int.from_bytes(parts[1].value, "big"))


def _key(values: list[tuple[int, bytes]]) -> ChipKey | None:
    parts = parse(values[0][1]) if values[0][0] == SEQUENCE else ()
    if len(parts) != 2 or parts[1].tag != 0x03 or not parts[1].value.startswith(b"\0"):
        return None
    curve = _domain([(parts[0].tag, parts[0].value)])
    return None if curve is None else ChipKey(curve, parts[1].value[1:], _optional(values, 1))


def _restricted_key(values: list[tuple[int, bytes]]) -> int:
    """ProtocolParams ::= SEQUENCE { version, keyId, authorizedOnly }."""
    parts = parse(values[0][1]) if values[0][0] == SEQUENCE else ()
    if len(parts) != 3 or parts[1].tag != INTEGER:
        raise MalformedError(what="SecurityInfo", why="no parameters of restricted identification")
    return int.from_bytes(parts[1].value, "big")
