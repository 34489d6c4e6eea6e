"""Checkpoints that are whole or absent, and what a run needs to go on from one."""
