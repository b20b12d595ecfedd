"""What is written beside a checkpoint: cards, examples, upload."""
