"""The editors' workplace: texts of the catalogue, four eyes, publication, languages, links, revisions, sources."""
