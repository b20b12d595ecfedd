"""Runs programs with an engine on items: one record per model call and one per item."""
