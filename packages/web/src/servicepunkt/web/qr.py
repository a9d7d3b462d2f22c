"""QR codes as images that stand in the page itself: no request, no script, no other host."""

from __future__ import annotations

from functools import lru_cache

import segno


@lru_cache(maxsize=256)
def qr_image(text: str) -> str:
    """A data: address of an SVG image, dark on white in every theme so that cameras read it."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_data_uri(scale=4, border=2, dark="#000", light="#fff")


def qr_once(text: str) -> str:
    """Like `qr_image` for what is secret: nothing is kept in memory."""
    return qr_image.__wrapped__(text)
