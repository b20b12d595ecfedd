"""Where weights come from: hub ids, folders, GGUF files, the embedded model."""
