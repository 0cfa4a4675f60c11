"""What an asset, a process or a command does: gather, decide, store. Free of Dagster, console and processes."""
