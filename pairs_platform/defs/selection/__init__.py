"""Scores, rankings and the trading configuration."""
