"""Gitea and Forgejo as a forge."""
