"""Trading signals of a session, bucket by bucket."""
