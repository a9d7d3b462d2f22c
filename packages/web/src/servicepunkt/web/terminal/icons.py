"""Which sign a theme's tile carries where it names none: by what its services are about, else one of its own. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from servicepunkt.core.catalogue.model import Theme

#: By groups of the standard catalogue's keys: identity cards and passports, residence and building, vehicles and
#: licences, transport of people and goods, trade and work, records, family, pensions and health, nature, safety.
OF_GROUPS = {
    **dict.fromkeys(("008", "085"), "id"),
    **dict.fromkeys(("012", "115", "116"), "home"),
    **dict.fromkeys(("018", "023", "029", "036", "075", "108"), "car"),
    **dict.fromkeys(("055", "084"), "tram"),
    **dict.fromkeys(("050", "052"), "work"),
    **dict.fromkeys(("014", "022", "049"), "paper"),
    **dict.fromkeys(("010", "011", "030", "041", "059", "072", "099", "101", "114", "125", "133", "134"), "person"),
    **dict.fromkeys(("042", "067"), "leaf"),
    **dict.fromkeys(("073", "089"), "scales"),
}
OTHERS = "list"
ONE_AFTER_THE_OTHER = ("compass", "home", "id", "person", "paper", "calendar", "leaf", "work", "tram", "car", "scales")


def theme_icons(themes: Sequence[Theme], taken: Collection[str] = ()) -> dict[str, str]:
    """A sign for each theme by its id; those that were not chosen by hand differ as long as there are enough."""
    used = {*taken, *(theme.icon for theme in themes if theme.icon)}
    found: dict[str, str] = {}
    for theme in themes:
        fitting = [OF_GROUPS[group] for group in theme.leika_groups if group in OF_GROUPS]
        wanted = [*fitting, *([OTHERS] if theme.others else []), *ONE_AFTER_THE_OTHER]
        found[theme.id] = theme.icon or next((icon for icon in wanted if icon not in used), wanted[0])
        used.add(found[theme.id])
    return found
