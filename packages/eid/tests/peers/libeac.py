"""Debian's libeac3 (OpenPACE) by ctypes: PACE in somebody else's C, as the chip, as both sides, and for the tests in
which it is the terminal."""

from __future__ import annotations

import ctypes
import time
from ctypes import CDLL, POINTER, Structure, c_char, c_char_p, c_int, c_size_t, c_ulong, c_void_p
from typing import Any

from servicepunkt.eid.model import Secrets
from servicepunkt.eid.tlv import need, tlv

#: id-PACE-ECDH-GM-AES-CBC-CMAC-128 on brainpoolP256r1.
CARD_ACCESS = bytes.fromhex("31143012060A04007F0007020204020202010202010D")


class Buffer(Structure):
    """OpenSSL's BUF_MEM."""

    _fields_ = (("length", c_size_t), ("data", POINTER(c_char)), ("max", c_size_t), ("flags", c_ulong))


class Libeac:
    """The functions of eac.h and pace.h that a terminal needs."""

    def __init__(self, card_access: bytes) -> None:
        self._eac, self._crypto = CDLL("libeac.so.3"), CDLL("libcrypto.so.3")
        self._crypto.BUF_MEM_new.restype = POINTER(Buffer)
        self._crypto.BUF_MEM_grow.argtypes = [POINTER(Buffer), c_size_t]
        self.call("EAC_init", None)
        self.context = self.call("EAC_CTX_new", c_void_p)
        if self.call("EAC_CTX_init_ef_cardaccess", c_int, card_access, len(card_access), self.context) != 1:
            raise ValueError("EF.CardAccess")

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        function = getattr(self._eac, name)
        function.restype = result
        kinds = {bytes: c_char_p, int: c_size_t}
        function.argtypes = [kinds.get(type(one), type(one)) for one in arguments]
        return function(*arguments)

    def close(self) -> None:
        self.call("EAC_CTX_clear_free", None, c_void_p(self.context))

    def number(self, name: str, *arguments: Any) -> int:
        found: int = self.call(name, c_int, c_void_p(self.context), *map(self._given, arguments))
        return found

    def bytes(self, name: str, *arguments: Any) -> bytes:
        found = self.call(name, POINTER(Buffer), c_void_p(self.context), *map(self._given, arguments))
        if not found:
            raise ValueError(name)
        return ctypes.string_at(found.contents.data, found.contents.length)

    def bytes_of(self, name: str, data: bytes) -> bytes:
        """The same for a function that takes bytes and their length."""
        found = self.call(name, POINTER(Buffer), c_void_p(self.context), data, len(data))
        if not found:
            raise ValueError(name)
        return ctypes.string_at(found.contents.data, found.contents.length)

    def _given(self, value: Any) -> Any:
        """Bytes become a BUF_MEM; all else stays."""
        if not isinstance(value, bytes):
            return value
        made = self._crypto.BUF_MEM_new()
        self._crypto.BUF_MEM_grow(made, len(value))
        ctypes.memmove(made.contents.data, value, len(value))
        return made

    def secret(self, value: str, kind: Secrets) -> c_void_p:
        text = value.encode()
        found = self.call("PACE_SEC_new", c_void_p, text, len(text), c_int(kind))
        if not found:
            raise ValueError("secret")
        return c_void_p(found)


class Chip:
    """A card that knows PACE and nothing else: a transport for the driver."""

    def __init__(self, card_access: bytes, kind: Secrets, secret: str) -> None:
        self._libeac, self._kind = Libeac(card_access), kind
        self._secret = self._libeac.secret(secret, kind)
        self._step, self._other = 0, b""

    def transmit(self, command: bytes) -> bytes:
        data = command[5 : 5 + command[4]] if len(command) > 5 else b""
        if command[1] == 0x22:
            assert need(data, 0x83) == bytes([self._kind])
            self._step = 0
            return b"\x90\x00"
        self._step += 1
        answer = getattr(self, f"_step_{self._step}")(need(data, 0x7C))
        return b"\x63\x00" if answer is None else tlv(0x7C, answer) + b"\x90\x00"

    def close(self) -> None:
        self._libeac.close()

    def _step_1(self, _: bytes) -> bytes:
        return tlv(0x80, self._libeac.bytes("PACE_STEP1_enc_nonce", self._secret))

    def _step_2(self, data: bytes) -> bytes:
        own = self._libeac.bytes("PACE_STEP3A_generate_mapping_data")
        assert self._libeac.number("PACE_STEP3A_map_generator", need(data, 0x81)) == 1
        return tlv(0x82, own)

    def _step_3(self, data: bytes) -> bytes:
        own, self._other = self._libeac.bytes("PACE_STEP3B_generate_ephemeral_key"), need(data, 0x83)
        assert self._libeac.number("PACE_STEP3B_compute_shared_secret", self._other) == 1
        return tlv(0x84, own)

    def _step_4(self, data: bytes) -> bytes | None:
        assert self._libeac.number("PACE_STEP3C_derive_keys") == 1
        own = self._libeac.bytes("PACE_STEP3D_compute_authentication_token", self._other)
        if self._libeac.number("PACE_STEP3D_verify_authentication_token", need(data, 0x85)) != 1:
            return None
        return tlv(0x86, own)


def both_sides(rounds: int) -> float:
    """CPU seconds of one side of PACE where the library plays both, the mean of so many."""
    steps = (
        ("PACE_STEP3A_generate_mapping_data", "PACE_STEP3A_map_generator"),
        ("PACE_STEP3B_generate_ephemeral_key", "PACE_STEP3B_compute_shared_secret"),
    )
    spent = 0.0
    for _ in range(rounds):
        sides = Libeac(CARD_ACCESS), Libeac(CARD_ACCESS)
        secret = sides[0].secret("123456", Secrets.PIN)
        started = time.process_time()
        nonce = sides[0].bytes("PACE_STEP1_enc_nonce", secret)
        assert sides[1].number("PACE_STEP2_dec_nonce", secret, nonce) == 1
        for make, take in steps:
            made = [side.bytes(make) for side in sides]
            for side, other in zip(sides, reversed(made), strict=True):
                assert side.number(take, other) == 1
        for side, other in zip(sides, reversed(made), strict=True):
            assert side.number("PACE_STEP3C_derive_keys") == 1
            side.bytes("PACE_STEP3D_compute_authentication_token", other)
        spent += time.process_time() - started
        for side in sides:
            side.close()
    return spent / rounds / 2
