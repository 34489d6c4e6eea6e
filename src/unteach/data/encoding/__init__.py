"""From examples to token ids, through the chat template that the model brings."""
