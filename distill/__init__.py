"""Distillation: sample the System 2 teacher, filter, fine-tune, keep the checkpoint with its cards."""
