"""What a student learns: inputs, System 2 samples, and the answers that are kept."""
