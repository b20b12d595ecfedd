"""Runs: programs over an engine over items, one record per model call and one per item."""
