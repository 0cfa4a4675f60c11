"""A simulated market as a source of prices: no network, no files, and the truth about it is known."""
