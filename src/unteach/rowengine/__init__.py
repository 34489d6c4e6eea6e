"""Compute losses and their gradients on the logits rows that predict answer tokens."""
