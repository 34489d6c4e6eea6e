"""Write complete checkpoints atomically, and resume training from them."""
