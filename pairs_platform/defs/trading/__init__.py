"""Trading: the assets, checks and sensor of what the trader did in the session under way."""
