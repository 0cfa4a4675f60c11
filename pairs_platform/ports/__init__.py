"""What the platform asks of outside systems, and the words in which they answer."""
