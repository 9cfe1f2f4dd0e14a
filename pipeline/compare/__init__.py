"""Comparing: two jobs over the same images, where they agree and where they do not."""
