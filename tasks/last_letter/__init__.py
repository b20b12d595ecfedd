"""Last-letter concatenation."""
