"""How an HTTP request of ours can fail before there is an answer."""

from __future__ import annotations

import httpx

# Beside what httpx names: a host that is none (UnicodeError), a key that no header may hold (ValueError), and a port
# out of range, which anyio wraps once for each address that it tried.
FAULTS = (httpx.HTTPError, httpx.InvalidURL, ValueError, OverflowError, ExceptionGroup)
