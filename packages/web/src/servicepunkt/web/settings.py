"""Sections of a tenant file: [web], where a public page leads that says who answers for it; [terminal], what it has."""

from __future__ import annotations

from typing import Annotated

import msgspec

WebAddress = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s/]+(/\S*)?$", max_length=300)]


class WebSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses of the tenant's own pages, in the foot of every public page; what is left out has no link there.

    Imprint (§ 5 DDG), privacy (Art. 13 GDPR) and the accessibility statement (§ 12b BGG and the laws of the Länder).
    """

    imprint: WebAddress = ""
    privacy: WebAddress = ""
    accessibility: WebAddress = ""


class TerminalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands at every terminal of the tenant. `receipt`: a printer for receipts of 80 mm."""

    receipt: bool = False
