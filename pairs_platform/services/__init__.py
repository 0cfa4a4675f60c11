"""Servers that the platform starts itself where the settings name none."""
