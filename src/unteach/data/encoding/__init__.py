"""Turn examples into token ids and answer masks, with the model's own chat template."""
