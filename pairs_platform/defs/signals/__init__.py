"""Streamed bars and signals: the assets of the session under way."""
