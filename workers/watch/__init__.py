"""Watching a worker: its metrics, what is wrong with it, the probes it answers, its logs."""
