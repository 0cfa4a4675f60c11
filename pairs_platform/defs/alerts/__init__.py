"""Sensors that find what is broken and send it, and the check that says what is broken now."""
