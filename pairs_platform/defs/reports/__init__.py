"""What leaves the platform: exports."""
