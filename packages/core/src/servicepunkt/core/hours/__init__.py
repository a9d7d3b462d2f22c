"""Opening hours: when a point, its host, its staff, an offer and a device are open together."""
