"""Several processes: what a launcher started, and how work is shared and put together again."""
