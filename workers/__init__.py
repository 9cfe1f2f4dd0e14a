"""The workers: the engine that loads, batches and classifies, and what drives it."""
