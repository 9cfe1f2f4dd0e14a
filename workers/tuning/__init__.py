"""Tuning: which engine, batches, loader processes and pieces suit this machine, measured."""
