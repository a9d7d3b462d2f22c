"""Lock boards, one module per kind; importing this package registers every kind that has a module here."""

import importlib
import pkgutil

from servicepunkt.dokbox.boards.base import (
    UNTRUSTED,
    BadSettingError,
    Board,
    BoardError,
    BoardRefusedError,
    CabinetError,
    Decoder,
    Echo,
    Frame,
    FrameRow,
    Junk,
    Kind,
    LocalError,
    NoSuchBoardError,
    NoSuchCompartmentError,
    NotPreparedError,
    Options,
    Place,
    Reading,
    Request,
    UntrustedBoardError,
    WiredBoards,
    build_board,
    kinds,
    register,
)

__all__ = [
    "UNTRUSTED",
    "BadSettingError",
    "Board",
    "BoardError",
    "BoardRefusedError",
    "CabinetError",
    "Decoder",
    "Echo",
    "Frame",
    "FrameRow",
    "Junk",
    "Kind",
    "LocalError",
    "NoSuchBoardError",
    "NoSuchCompartmentError",
    "NotPreparedError",
    "Options",
    "Place",
    "Reading",
    "Request",
    "UntrustedBoardError",
    "WiredBoards",
    "build_board",
    "kinds",
    "register",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
