"""Staff pages of deposits and boxes: announce, load, look after, take back. Made for keyboard and scanner."""
