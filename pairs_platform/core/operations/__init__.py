"""Rules of running the platform: what is due, retried, told, kept."""
