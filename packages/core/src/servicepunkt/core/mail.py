"""Mail addresses: one shape for the desk and for senders. Pure."""

from __future__ import annotations

import re

LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_TOP = r"[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
#: A dot-atom (RFC 5321, 4.1.2) before a domain with a dot in it: nothing that a mail server could read as two.
ADDRESS = re.compile(rf"^(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{LABEL}\.)+{_TOP}\Z")
