"""Price history: from the source, through validation, into the lake."""
