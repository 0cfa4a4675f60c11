"""Streamed bars: what they are, how revisions fold, when a bucket is complete, what time the market has."""
