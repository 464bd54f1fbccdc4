"""Sample workflows: what they are, how they are filled in, subscribed to, and brought up to date."""
