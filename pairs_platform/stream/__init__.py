"""Long-running processes: the collector, the replay server, and what starts and watches them."""
