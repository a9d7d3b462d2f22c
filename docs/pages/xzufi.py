"""The page of XZuFi: what each element becomes here, what differs between versions, what nobody could verify."""

from __future__ import annotations

from pages.markdown import code, table, title
from servicepunkt.core.catalogue.formats.model import MAX_BYTES, MAX_RECORDS
from servicepunkt.core.catalogue.formats.xzufi import names, reader, source
from servicepunkt.core.catalogue.model import MODULES

INTRO = """\
XZuFi is the standard in which public services, authorities and who is responsible where are exchanged in Germany.
Transfer messages of 2.2.0 and 2.3.1 are read (format `xzufi`), and pages of the change feed and answers of the search
service of the Portalverbund (`pvog-feed`, `pvog`). 2.3.1 is written.

A file that cannot be read on counts as a whole as not read: line and reason are said. A record that cannot be read is
refused with its line, class and id, and the others are read. A document type is never read, broken XML never mended.
"""

ELEMENTS = (
    ("leistung", "a service"),
    ("id, schemeAgencyID", f"id and `external`; of the agency `{names.OWN_AGENCY}` the value is the id itself"),
    (names.LEIKA.in_2_3_1, "`leika`"),
    ("modulText", "see below; links of 14 are forms, of 07 `legal_basis`, all others pages"),
    ("modulTextIndividuell", "a module with a code of its own, `x-...`"),
    ("modulKosten", f"`fees` and `fee`; words for one channel alone are the module `{names.FEE_WORDS}`"),
    ("modulBearbeitungsdauer", f"`durations` and `duration`; for one channel `{names.DURATION_WORDS}`"),
    ("modulFrist", f"`durations` of the kind deadline; words, and deadlines on a day, `{names.DEADLINE_WORDS}`"),
    (
        "modulDokument",
        f"`documents`; words about all of them are module {names.NEEDED_DOCUMENTS} and `{names.DOCUMENT_WORDS}`",
    ),
    ("modulBegriffImKontext", "`keywords`"),
    ("leistungsadressat", "`audience`"),
    ("vertrauensniveau", "`trust_level` of the online services that have none"),
    ("statusKatalog, statusBibliothek", "for staff only when it is a draft (3, written for staff only) or not in use"),
    ("sprachversion", "`translated` of modules, for languages put in by a machine"),
    ("gueltigkeit", "`valid_from`, `valid_until`; `zusatz` is `ended`"),
    ("onlinedienst", "a link of the services that it is responsible for, with the areas as `areas`"),
    ("organisationseinheit", "a partner of the kind authority"),
    ("zustaendigkeit", "a responsibility for each area; without an area with a caveat"),
    ("spezialisierung", "refused: not taken over, as every other class"),
)

REST = """\
What XZuFi has no word for (themes, hosts, points, offers, areas, where appointments are booked) travels in
a processing instruction, `<?servicepunkt {...}?>`: behind an element the fields that it cannot say, at the top level a
whole entry. Reading what was written gives the same catalogue. Everybody else ignores the instruction; whoever reads it
here decodes it strictly and looks at its texts.

A responsibility with several areas becomes several entries with ids `<id>@<area>`. The partner that decides for a
service everywhere (`competence`) has no place in XZuFi and travels in the instruction too.
"""

UNVERIFIED = (
    ("the namespace of 2.3.1", code(names.NAMESPACES["2.3.1"]), "the version at the root decides"),
    ("the name of the transfer message", code("transfer"), "any name is read"),
    ("how `kostenauswahl` and `fristauswahl` say their type", code("xsi:type"), "amounts are found at any depth"),
    ("the element around a telephone number", code("kommunikation"), "three names are read"),
    ("role 02", "not written", "read as somebody to ask"),
    ("`zusatz` as the words for an end", "written", "read as `ended`"),
)


def xzufi_page() -> str:
    modules = [
        (code(number), label, code(names.FIELDS[number]) if number in names.FIELDS else "module")
        for number, label in MODULES.items()
    ]
    differences = [
        (one.what, code(one.in_2_2_0) if one.in_2_2_0 else "", code(one.in_2_3_1)) for one in names.DIFFERENCES
    ]
    roles = [(f"„{words.capitalize()}“", code(role)) for words, role in names.ROLE_WORDS.items()]
    roles += [(f"code {number}", code(role)) for number, role in names.ROLE_CODES.items()]
    limits = [
        ("bytes of a file", f"{MAX_BYTES:,}"),
        ("records of a file", f"{MAX_RECORDS:,}"),
        ("bytes of a record", f"{source.MAX_RECORD:,}"),
        ("elements of a record", f"{source.MAX_ELEMENTS:,}"),
        ("attributes of an element", f"{source.MAX_ATTRIBUTES:,}"),
        ("online services of a file", f"{reader.MAX_ONLINE:,}"),
        ("responsibilities of online services in a file", f"{reader.MAX_USES:,}"),
    ]
    elements = [(", ".join(map(code, name.split(", "))), meaning) for name, meaning in ELEMENTS]
    return "\n".join(
        [
            title("XZuFi"),
            INTRO,
            title("What becomes of what", 2),
            table(("XZuFi", "Here"), elements),
            title("Text modules", 2),
            table(("Code", "Heading", "For every channel"), modules),
            title("What differs between the versions", 2),
            table(("", "2.2.0", "2.3.1"), differences),
            title("Roles", 2),
            "The words count before the code; what is not known is somebody to ask.\n",
            table(("XZuFi", "Here"), roles),
            title("What XZuFi has no word for", 2),
            REST,
            title("Limits", 2),
            table(("", "At most"), limits),
            title("What could not be verified", 2),
            "The schemas of XZuFi were out of reach; names are those of the FIM portal and of public programs.\n",
            table(("", "Written as", "Read"), UNVERIFIED),
        ]
    )
