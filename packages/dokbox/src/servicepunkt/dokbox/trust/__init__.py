"""What binds a box and the centre: the keys that both sign with, and the peppers that the centre may keep for a box."""
