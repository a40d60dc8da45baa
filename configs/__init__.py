"""What to run: one short file a configuration."""
