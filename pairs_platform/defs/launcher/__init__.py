"""How runs of signals start."""
