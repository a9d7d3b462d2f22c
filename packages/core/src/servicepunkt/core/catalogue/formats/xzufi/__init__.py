"""XZuFi 2.2.0 and 2.3.1, the standard in which public services are exchanged in Germany: read both, write 2.3.1.

`names` has the words and what differs between the versions, `source` takes a file apart, `services`, `figures`, `links`
and `partners` say what its records are here, `reader` makes changes of them, `writer` the way back, and `instruction`
holds what XZuFi has no word for.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.catalogue.formats.xzufi.names import OWN_AGENCY
from servicepunkt.core.catalogue.formats.xzufi.reader import PART, read
from servicepunkt.core.catalogue.formats.xzufi.writer import CREATED, write
from servicepunkt.core.catalogue.model import Catalogue


def _whole(catalogue: Catalogue, base: str, *, day: date | None = None) -> Iterator[bytes]:
    """The whole catalogue with this town's own ids; what is for staff alone is not released to others."""
    agency = f"{OWN_AGENCY}:{base}" if base else OWN_AGENCY
    return write(catalogue, agency, created=datetime.combine(day, time(), UTC) if day else CREATED)


FORMAT = Format(name="xzufi", parts=(PART,), is_whole=False, read=read, write=_whole)
