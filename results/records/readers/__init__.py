"""Readers of other harnesses' logs, one file each. `find.py` decides which reader a path needs."""
