"""Take given training data out of a causal language model, and show what is left of it."""

__version__ = "0.1.0"
