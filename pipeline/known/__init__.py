"""Known: what was classified before, so that it need not be done again."""
