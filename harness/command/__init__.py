"""What a user calls: reads the command line and composes runs, distillation and tables."""
