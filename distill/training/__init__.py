"""Fine-tuning in a child process."""
