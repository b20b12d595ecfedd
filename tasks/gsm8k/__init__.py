"""Grade-school math."""
