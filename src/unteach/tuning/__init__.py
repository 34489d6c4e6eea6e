"""Search for a method and its settings on one half of the data, and confirm it on the other."""
