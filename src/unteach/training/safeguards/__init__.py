"""Stop training early, lower its learning rate, or undo part of a change that went too far."""
