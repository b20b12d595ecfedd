"""What a student learns from: inputs, System 2 samples, and the kept answers."""
