"""From the vendor's stream to Redis."""
