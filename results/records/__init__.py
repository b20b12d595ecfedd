"""Reads what runs wrote."""
