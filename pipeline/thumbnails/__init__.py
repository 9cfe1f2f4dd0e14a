"""Thumbnails: small pictures for the page, made on demand from what others wrote, and kept."""
