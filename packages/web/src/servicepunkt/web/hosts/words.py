"""Words of the pages about houses, as message ids."""

from __future__ import annotations

INCIDENT_STATES = {"reported": "Reported", "acknowledged": "Somebody takes care", "closed": "Done"}
SLOT_STATES = {"asked": "Waits for the house", "approved": "Approved", "vetoed": "Vetoed", "withdrawn": "Given up"}
#: How the states are coloured, in the styles of the editors.
BADGES = {
    "reported": "rejected",
    "acknowledged": "proposed",
    "closed": "live",
    "asked": "proposed",
    "approved": "live",
    "vetoed": "rejected",
    "withdrawn": "draft",
}
SUBJECTS = {"staff": "Personal help: {point}", "offer": "{service} ({point})"}
TABS = {
    "": "Today",
    "/hours": "Hours and closures",
    "/incidents": "Incidents",
    "/space": "Spaces",
    "/figures": "Figures",
}
