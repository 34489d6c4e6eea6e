"""Check and load models from disk or from the hub."""
