"""Estimate the memory that a run needs, before anything is loaded."""
