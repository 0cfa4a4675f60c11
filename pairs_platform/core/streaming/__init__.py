"""Streamed bars: what they are, how revisions merge, when a bar is complete, what time the market has."""
