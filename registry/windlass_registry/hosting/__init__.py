"""A registry that is kept here: a folder of signed files, how it is begun, and how it grows."""
