"""Whether each daily asset has the session that is due by now."""
