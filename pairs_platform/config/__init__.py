"""The shipped configuration files. A user's copy overrides them; these are never edited."""
