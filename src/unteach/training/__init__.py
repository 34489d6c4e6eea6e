"""Train a model to forget: trainer, configuration, data order, checkpoints and safeguards."""
