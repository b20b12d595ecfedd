"""Trivia with a stated opinion."""
