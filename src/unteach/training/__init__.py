"""From batches to one loss: rows, references, order, the trainer, and when to stop."""
