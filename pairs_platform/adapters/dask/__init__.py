"""Compute backends for batches."""
