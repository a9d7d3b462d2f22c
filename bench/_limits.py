"""Limits that no program passes, for the same run: one Argon2id, one fsync, the time of a frame on the line."""

from __future__ import annotations

import os
import time
from pathlib import Path

from servicepunkt.dokbox import pins

BAUD = 19200
BITS_PER_BYTE = 10
BLOCK = b"\0" * 4096


def argon2id() -> float:
    """Seconds of one Argon2id with the parameters of the box, and nothing else."""
    started = time.perf_counter()
    pins.stretch("123456", salt=bytes(pins.SALT_BYTES), pepper=bytes(32), context="1|box-1")
    return time.perf_counter() - started


def fsync(folder: Path) -> float:
    """Seconds of writing 4 KiB and having them on disk."""
    with (folder / "fsync").open("wb", buffering=0) as file:
        started = time.perf_counter()
        file.write(BLOCK)
        os.fsync(file.fileno())
        return time.perf_counter() - started


def line_time(frame_bytes: int) -> float:
    """Seconds that a frame takes on the line: 8N1, ten bits a byte."""
    return frame_bytes * BITS_PER_BYTE / BAUD
