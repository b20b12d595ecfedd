"""The papers of a checkpoint: cards, examples, upload."""
