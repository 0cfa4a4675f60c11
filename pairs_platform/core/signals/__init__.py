"""Trading signals of a session, bar by bar."""
