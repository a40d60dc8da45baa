"""The training program: `python -m train NAME [overrides]`."""
