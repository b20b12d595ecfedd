"""The leaderboard as text."""
