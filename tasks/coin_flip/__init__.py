"""Coin flip."""
