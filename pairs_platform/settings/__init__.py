"""The settings: the only reader of environment variables and of YAML."""
