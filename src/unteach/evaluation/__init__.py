"""Evaluate models and write reports: `unteach evaluate`, `score`, `audit` and `verify`."""
