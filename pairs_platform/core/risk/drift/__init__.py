"""Whether a pair still behaves as it did when it was estimated, and what is done where it does not."""
