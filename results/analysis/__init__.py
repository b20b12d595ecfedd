"""From records to rows and claims of the leaderboard."""
