"""Prometheus metrics of the kernel. Labels never hold personal data, raw paths or, by default, the tenant."""

from prometheus_client import Counter, Gauge, Histogram

PLUGIN_FAILURES = Counter("servicepunkt_plugin_failures", "Hooks that raised", ["plugin", "hook"])
PLUGIN_SLOW = Counter("servicepunkt_plugin_slow", "Hooks that took longer than they may", ["plugin", "hook"])
REQUESTS = Histogram("servicepunkt_request_seconds", "Requests by route template", ["method", "route", "status"])
NOTICES = Counter("servicepunkt_notices", "Notices by channel and resulting state", ["channel", "state"])
ATTEMPTS = Counter("servicepunkt_notice_attempts", "Messages handed to a provider by outcome", ["channel", "outcome"])
RECEIPTS = Counter("servicepunkt_notice_receipts", "Delivery receipts by what they say", ["channel", "outcome"])
PROVIDER_WEIGHT = Gauge("servicepunkt_provider_weight", "Points of a provider after a move", ["tenant", "provider"])
SIGN_INS = Counter("servicepunkt_sign_ins", "Sign-in attempts by outcome", ["outcome"])
JOB_FAILURES = Counter("servicepunkt_job_failures", "Background jobs that raised", ["job"])
BOX_LAST_SEEN = Gauge("servicepunkt_box_last_seen_timestamp", "Time of a box's last heartbeat", ["tenant", "box"])
REPLICA_MISSES = Counter("servicepunkt_replica_misses", "Readings that the replica did not answer", ["reason"])
