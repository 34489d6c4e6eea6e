"""A small made-up world on which the main job can be watched: no network, no weights."""
