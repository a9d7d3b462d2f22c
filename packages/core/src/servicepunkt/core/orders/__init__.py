"""What partners sell or book at a point: an order without a name, paid at the counter with its reference."""
