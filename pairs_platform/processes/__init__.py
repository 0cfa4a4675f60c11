"""Long-running processes, and what starts them."""
