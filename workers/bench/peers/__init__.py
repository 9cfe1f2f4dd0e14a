"""Peers: what people use instead, each a script that prints its images/s."""
