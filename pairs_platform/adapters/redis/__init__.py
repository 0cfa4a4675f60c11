"""Redis: streamed bars, bar-close events, the replay's clock, the collector's health, and backups of them."""
