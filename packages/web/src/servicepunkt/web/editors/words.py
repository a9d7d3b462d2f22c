"""Words of the editors' pages, as message ids."""

from __future__ import annotations

from servicepunkt.core.catalogue.model import MODULES as HEADINGS

FIELDS = {
    "name": "Name",
    "official_name": "Official name",
    "summary": "In short",
    "description": "Description",
    "fee": "What it costs",
    "duration": "How long it takes",
    "ended": "Text after the last day",
    "documents": "What to bring",
    "links": "Links",
    "keywords": "Hidden search words",
    "visibility": "Who sees it",
}
#: What sources say and editors do not write.
OTHERS = {
    "themes": "Themes",
    "competence": "Who decides",
    "leika": "Key of the service (LeiKa)",
    "fees": "Fees in figures",
    "durations": "Durations in figures",
    "legal_basis": "Legal basis",
    "audience": "For whom",
    "valid_from": "First day",
    "valid_until": "Last day",
    "external": "Known elsewhere as",
}
CHANNELS = {
    "000": "Every channel",
    "100": "Channel 100 (XZuFi)",
    "200": "Channel 200 (XZuFi)",
    "point": "At the service point",
}
STATES = {
    "draft": "Draft",
    "proposed": "Waits for approval",
    "approved": "Approved",
    "rejected": "Sent back",
    "live": "In force",
    "withdrawn": "No longer in force",
}
VISIBILITIES = {"public": "Everybody", "staff": "Staff only"}
LINK_KINDS = {"online": "Online service", "form": "Form", "booking": "Appointment", "page": "Page"}
LAYERS = {"federation": "Federation", "land": "Land", "tenant": "Own town"}
SOURCES = {"files": "own files", "hosts": "hosts", "editors": "editors"}
FORMATS = {
    "own": "Tenant file",
    "table": "Table (CSV)",
    "xzufi": "XZuFi",
    "pvog": "Online gateway (PVOG), search",
    "pvog-feed": "Online gateway (PVOG), feed",
    "dldb": "Service database of Berlin or Munich (DLDB)",
    "gv100ad": "Directory of municipalities (GV100AD)",
}
ACTORS = {"command-line": "Command line", "cli": "Command line", "job:catalogue-publish": "By itself on its day"}
KINDS = {
    "hosts": "Host",
    "points": "Point",
    "partners": "Partner",
    "themes": "Theme",
    "services": "Service",
    "offers": "Offer",
    "areas": "Area",
    "responsibilities": "Responsibility",
}
SIGNS = {"added": "New", "removed": "Gone", "changed": "Changed"}
RUN_STATES = {"reading": "Reading", "done": "Taken over", "failed": "Failed"}
DECISIONS = {
    "added": "New",
    "changed": "Changed",
    "unchanged": "Unchanged",
    "deleted": "Deleted",
    "orphan": "Nothing to delete",
    "refused": "Refused",
}
SHOWN = {
    "mine": "Mine",
    "waiting": "Waits for approval",
    "approved": "Approved",
    "refused": "Could not be published",
    "live": "In force",
}


def source(name: str) -> str:
    """A source for people, as a message id; one that is called like its format by the name of that."""
    return SOURCES.get(name) or FORMATS.get(name, name)


def heading(field: str) -> tuple[str, str]:
    """(what it is, for which channel) of a field, both as message ids; a module of one's own has its code."""
    name, _, rest = field.partition("/")
    if name != "modules":
        return FIELDS.get(field) or OTHERS.get(field, field), ""
    code, _, channel = rest.partition("/")
    return HEADINGS.get(code, code), "" if channel == "000" else CHANNELS.get(channel, channel)
