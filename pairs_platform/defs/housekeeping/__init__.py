"""Storage usage and retention: how large the state is and grows, and what old runs leave behind."""
