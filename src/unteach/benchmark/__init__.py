"""Run many methods with the same budget and several seeds, and put them into one table."""
