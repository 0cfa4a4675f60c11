"""Decisions about running the platform: what is due, retried, worth an alert, kept."""
