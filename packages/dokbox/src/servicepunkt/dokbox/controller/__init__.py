"""The box controller: the only authority over its compartments; it works with the network cut."""
