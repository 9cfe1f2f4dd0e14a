"""Guarded Pillow: which bytes are a picture, and its frame, turned and in RGB."""
