"""Correlation and cointegration of every pair of a sector."""
