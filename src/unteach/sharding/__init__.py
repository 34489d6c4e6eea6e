"""Models whose weights lie in shards over several processes (FSDP2)."""
