"""The trader: follows signals, and carries out what `core` decides, with one account."""
