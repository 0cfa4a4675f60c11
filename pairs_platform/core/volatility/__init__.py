"""AR(1)-GARCH(1,1) models of spreads, their diagnostics and their forecasts."""
