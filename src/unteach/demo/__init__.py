"""Run the whole pipeline on a small made-up world, without network or downloaded weights."""
