"""A registry over HTTP: its files as they are, an API to publish and to search, and pages for people."""
