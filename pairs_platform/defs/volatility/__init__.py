"""AR(1)-GARCH(1,1) models of the spreads."""
