"""Tokens: who may use the HTTP interface, and how far; only their hashes are stored."""
