"""Water meter readings for the Kassel Service Point."""
