"""Price files of the user."""
