"""Bars: calendar, validation, aggregation, adjustment and the window matrix that every later stage reads."""
