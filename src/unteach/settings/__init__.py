"""Define the settings of a request, read them, and explain invalid ones."""
