"""Scores, backtests, rankings over time and the trading configuration."""
