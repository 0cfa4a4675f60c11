"""What may be traded, how much of it, and when trading stops."""
