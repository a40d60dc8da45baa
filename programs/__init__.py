"""What the programs share: how they start, how they are stopped and how they print."""
