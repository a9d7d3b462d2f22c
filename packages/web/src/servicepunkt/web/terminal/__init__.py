"""The pages of citizens: at a terminal below `/k`, and the same content on the web without the hardware."""
