"""OSDP 2.2 devices: packets, the secure channel, and the panel that makes a board of them."""

from servicepunkt.dokbox.boards.osdp.panel import Colour, Options, Osdp, SessionLostError

__all__ = ["Colour", "Options", "Osdp", "SessionLostError"]
