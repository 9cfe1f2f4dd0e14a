"""Webhooks: who is told of a job's end, what is said, and how it went."""
