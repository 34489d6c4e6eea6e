"""From models to rows, from rows to a report: `unteach evaluate`, `score` and `compare`."""
