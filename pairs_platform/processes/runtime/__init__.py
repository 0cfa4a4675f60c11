"""Servers, their topology and supervision, migrations, backup."""
