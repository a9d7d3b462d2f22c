"""The chip's side of PACE in somebody else's C: Debian's libeac3 (OpenPACE), by ctypes."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_char, c_char_p, c_int, c_size_t, c_ulong, c_void_p
from typing import Any

from servicepunkt.eid.model import Secrets
from servicepunkt.eid.tlv import need, tlv


class Buffer(Structure):
    """BUF_MEM of OpenSSL."""

    _fields_ = (("length", c_size_t), ("data", POINTER(c_char)), ("max", c_size_t), ("flags", c_ulong))


def load() -> Library:
    """Raises OSError where it is not installed."""
    return Library()


class Library:
    def __init__(self) -> None:
        self._eac, self._crypto = ctypes.CDLL("libeac.so.3"), ctypes.CDLL("libcrypto.so.3")
        self._crypto.BUF_MEM_new.restype = POINTER(Buffer)
        self._crypto.BUF_MEM_grow.argtypes = [POINTER(Buffer), c_size_t]
        self.call("EAC_init", None, ())

    def call(self, name: str, result: Any, kinds: tuple[Any, ...], *arguments: Any) -> Any:
        function = getattr(self._eac, name)
        function.restype, function.argtypes = result, list(kinds)
        return function(*arguments)

    def buffer(self, data: bytes) -> Any:
        made = self._crypto.BUF_MEM_new()
        self._crypto.BUF_MEM_grow(made, len(data))
        ctypes.memmove(made.contents.data, data, len(data))
        return made

    def context(self, card_access: bytes) -> Any:
        made = self.call("EAC_CTX_new", c_void_p, ())
        done = self.call(
            "EAC_CTX_init_ef_cardaccess", c_int, (c_char_p, c_size_t, c_void_p), card_access, len(card_access), made
        )
        assert done == 1, "libeac cannot read this EF.CardAccess"
        return made

    def made(self, name: str, context: Any, *more: Any) -> bytes:
        """What a step makes."""
        kinds = (c_void_p, *(POINTER(Buffer) if isinstance(one, POINTER(Buffer)) else c_void_p for one in more))
        found = self.call(name, POINTER(Buffer), kinds, context, *more)
        assert found, f"{name} failed"
        data: bytes = ctypes.string_at(found.contents.data, found.contents.length)
        return data  # the library may still hold it

    def is_done(self, name: str, context: Any, *more: Any) -> bool:
        kinds = (c_void_p, *(POINTER(Buffer) for _ in more))
        return bool(self.call(name, c_int, kinds, context, *more) == 1)


class Chip:
    """A card that knows PACE and nothing else: a transport for the driver."""

    def __init__(self, library: Library, card_access: bytes, kind: Secrets, secret: bytes) -> None:
        self._library, self._context = library, library.context(card_access)
        self._kind, self._secret, self._step, self._other = kind, secret, 0, b""

    def transmit(self, command: bytes) -> bytes:
        data = command[5 : 5 + command[4]] if len(command) > 5 else b""
        if command[1] == 0x22:
            assert need(data, 0x83) == bytes([self._kind])
            self._step = 0
            return b"\x90\x00"
        self._step += 1
        inner = need(data, 0x7C)
        answer = getattr(self, f"_step_{self._step}")(inner)
        return b"\x63\x00" if answer is None else tlv(0x7C, answer) + b"\x90\x00"

    def close(self) -> None:
        self._library.call("EAC_CTX_clear_free", None, (c_void_p,), self._context)

    def _step_1(self, _: bytes) -> bytes:
        kinds = (c_char_p, c_size_t, c_int)
        secret = self._library.call("PACE_SEC_new", c_void_p, kinds, self._secret, len(self._secret), int(self._kind))
        assert secret, "libeac takes no such secret"
        return tlv(0x80, self._library.made("PACE_STEP1_enc_nonce", self._context, c_void_p(secret)))

    def _step_2(self, data: bytes) -> bytes:
        own = self._library.made("PACE_STEP3A_generate_mapping_data", self._context)
        other = self._library.buffer(need(data, 0x81))
        assert self._library.is_done("PACE_STEP3A_map_generator", self._context, other)
        return tlv(0x82, own)

    def _step_3(self, data: bytes) -> bytes:
        own = self._library.made("PACE_STEP3B_generate_ephemeral_key", self._context)
        self._other = need(data, 0x83)
        other = self._library.buffer(self._other)
        assert self._library.is_done("PACE_STEP3B_compute_shared_secret", self._context, other)
        return tlv(0x84, own)

    def _step_4(self, data: bytes) -> bytes | None:
        assert self._library.is_done("PACE_STEP3C_derive_keys", self._context)
        other = self._library.buffer(self._other)
        own = self._library.made("PACE_STEP3D_compute_authentication_token", self._context, other)
        said = self._library.buffer(need(data, 0x85))
        if not self._library.is_done("PACE_STEP3D_verify_authentication_token", self._context, said):
            return None
        return tlv(0x86, own)


def both_sides(rounds: int) -> float:
    """CPU seconds of one side of PACE where the library plays both, the mean of so many."""
    import time

    library = Library()
    access = bytes.fromhex("31143012060A04007F0007020204020202010202010D")
    steps = (
        ("PACE_STEP3A_generate_mapping_data", "PACE_STEP3A_map_generator"),
        ("PACE_STEP3B_generate_ephemeral_key", "PACE_STEP3B_compute_shared_secret"),
    )
    spent = 0.0
    for _ in range(rounds):
        sides = [library.context(access) for _ in range(2)]
        kinds = (c_char_p, c_size_t, c_int)
        secret = c_void_p(library.call("PACE_SEC_new", c_void_p, kinds, b"123456", 6, int(Secrets.PIN)))
        started = time.process_time()
        nonce = library.buffer(library.made("PACE_STEP1_enc_nonce", sides[0], secret))
        decrypt = (c_void_p, c_void_p, POINTER(Buffer))
        assert library.call("PACE_STEP2_dec_nonce", c_int, decrypt, sides[1], secret, nonce) == 1
        for make, take in steps:
            made = [library.buffer(library.made(make, side)) for side in sides]
            assert all(library.is_done(take, side, other) for side, other in zip(sides, reversed(made), strict=True))
        for side, other in zip(sides, reversed(made), strict=True):
            assert library.is_done("PACE_STEP3C_derive_keys", side)
            library.made("PACE_STEP3D_compute_authentication_token", side, other)
        spent += time.process_time() - started
        for side in sides:
            library.call("EAC_CTX_clear_free", None, (c_void_p,), side)
    return spent / rounds / 2
