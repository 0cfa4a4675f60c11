"""Alpaca: history and stream."""
