"""The actions that come with Windlass: one folder each, an ordinary package."""
