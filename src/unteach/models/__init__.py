"""Models on disk or on the hub: which can be loaded, what is wrong with one, and loading it."""
