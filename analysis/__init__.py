"""The analysis program: `python -m analysis RUN [experiments] [overrides]`."""
