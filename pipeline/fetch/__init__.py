"""Fetching: the bytes of one reference, with limits, wherever it leads."""
