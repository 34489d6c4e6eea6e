"""The vocabulary step: losses and their gradients on the rows that predict answer tokens."""
