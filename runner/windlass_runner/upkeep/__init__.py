"""Keeps a repository's own `.windlass` files up to date: for the commands, and for the daemon by itself."""
