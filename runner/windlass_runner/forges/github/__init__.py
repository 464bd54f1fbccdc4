"""GitHub, and GitHub Enterprise Server, as a forge."""
