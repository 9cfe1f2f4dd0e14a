"""Outgoing: which addresses may be connected to, and connections that go nowhere else."""
