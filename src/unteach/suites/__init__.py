"""What is asked of a model: one file, one benchmark. `own` is for the user's data."""
