"""Handle models whose weights are sharded over several processes (FSDP2)."""
