"""A server that plays stored sessions in the protocol of Alpaca."""
