"""The Kassel Service Point: the reference tenant."""
