"""Power cuts and failing disks for SQLite: a disk that forgets, SQLite on it, and hand-overs that are cut short."""
