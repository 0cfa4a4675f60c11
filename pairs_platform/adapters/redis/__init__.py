"""Redis: streams of bars, their clock and their health."""
