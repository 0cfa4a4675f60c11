"""What can be wrong with the configuration.

What does not belong here: failures of what the settings name (`core.errors`).
"""


class SettingsError(ValueError):
    """A configuration that cannot be used; the message names the file, the path in it, the value and what is valid."""


class NoSuchSectorError(ValueError):
    """A sector without symbols in the universe."""
