"""What ends a run early, lowers its rate, or draws back a model that went too far."""
