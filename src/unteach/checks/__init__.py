"""Check a request before any weights are loaded."""
