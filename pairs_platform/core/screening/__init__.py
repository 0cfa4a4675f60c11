"""Correlation and cointegration of pairs, and what chance alone would find."""
