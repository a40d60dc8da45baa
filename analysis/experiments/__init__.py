"""What is asked of the measurements: one file per experiment."""
