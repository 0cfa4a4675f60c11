"""Pictures and table cells."""
