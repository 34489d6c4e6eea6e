"""Everything that can be wrong with a request, found before a weight is loaded."""
