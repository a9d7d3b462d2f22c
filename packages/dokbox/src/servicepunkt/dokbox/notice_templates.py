"""The texts that citizens get, by language: GSM-7 and one segment, no name, no link; checked when a tenant is applied.

Those with a code come with it sealed; `number` is the pick-up number. Mail may be longer, and brings a QR code that
the box's scanner reads: pick-up number, a full stop, code.
"""

from __future__ import annotations

from collections.abc import Mapping

from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.dokbox.settings import DokboxSettings

CODE_TEXTS = {
    "pickup-code": {
        "de": "{tenant}: Ihr Dokument liegt bereit. {box}, Code {code}, bis {until} Abholung mit dieser Handynummer.",
        "en": "{tenant}: your document is ready. {box}, code {code}, until {until} Collect with this mobile number.",
    },
    "pickup-number-code": {
        "de": "{tenant}: Ihr Dokument liegt bereit. {box}, Abholnummer {number}, Code {code}, bis {until}",
        "en": "{tenant}: your document is ready. {box}, pick-up number {number}, code {code}, until {until}",
    },
    "pickup-fresh-code": {
        "de": "{tenant}: Ihr frischer Code an der Box ist {code}. Er gilt wenige Minuten. Geben Sie ihn nicht weiter.",
        "en": "{tenant}: your fresh code at the box is {code}. It is good for some minutes. Do not pass it on.",
    },
}
PLAIN_TEXTS = {
    "pickup-reminder": {
        "de": "{tenant}: Ihr Dokument wartet bis {until} auf Sie. {box}. Es gilt der Code aus unserer Nachricht.",
        "en": "{tenant}: your document waits in {box} until {until} The code in our message is valid.",
    },
    "pickup-withdrawn": {
        "de": "{tenant}: Ihr Dokument liegt nicht mehr in der Box. Sie bekommen es hier: {counter}",
        "en": "{tenant}: your document is in the box no longer. You get it here: {counter}",
    },
}
MAIL_TEXTS = {
    "de": """Guten Tag,

Ihr Dokument liegt bereit: {box}.

Abholnummer: {number}
Code: {code}

Halten Sie den QR-Code im Anhang an den Leser der Box, oder geben Sie Abholnummer und Code dort ein.
Letzter Tag: {until}
Geben Sie diese Nachricht nicht weiter.

{tenant}
""",
    "en": """Good day,

your document is ready: {box}.

Pick-up number: {number}
Code: {code}

Hold the attached QR code to the reader of the box, or type the pick-up number and the code there.
Last day: {until}
Do not pass this message on.

{tenant}
""",
}
QR = "{number}.{code}"


def notice_templates(settings: DokboxSettings, tenant: str) -> list[NoticeTemplate]:
    """All texts, with the values that this tenant's settings bring; `tenant` is its name."""
    values = {
        "box": [name for box in settings.boxes for name in box.name.values()],
        "counter": list(settings.counter.values()) or [tenant],
        "until": ["00.00."],
        "number": ["00000"],
        "code": ["0" * max((policy.typed_digits for policy in settings.documents), default=6)],
    }
    used = {policy.notice_template for policy in settings.documents} | {"pickup-code"}
    texts: Mapping[str, Mapping[str, str]] = {
        name: by_language
        for name, by_language in (CODE_TEXTS | PLAIN_TEXTS).items()
        # A long box name need not fit into a text that no document of this tenant uses.
        if name in used or name not in CODE_TEXTS or name == "pickup-fresh-code"
    }
    short = [NoticeTemplate(name, by_language, values=values) for name, by_language in texts.items()]
    return [*short, NoticeTemplate("pickup-code-mail", MAIL_TEXTS, channel="email", values=values, qr=QR)]
