"""The kernel of Servicepunkt: tenancy, plugin host, database, jobs, audit, notices, catalogue, hours, people."""

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.plugins import hookimpl
from servicepunkt.core.tenancy.model import TenantContext

__all__ = ["ServicepunktError", "TenantContext", "hookimpl"]
__version__ = "0.1.0"
