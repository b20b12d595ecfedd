"""Pairwise judging."""
