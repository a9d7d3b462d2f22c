"""Hours that a host changes itself: a week and exceptions, looked at before they are published."""
