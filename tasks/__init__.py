"""Tasks: lm-eval task folders, where their items come from, and how answers are read."""
