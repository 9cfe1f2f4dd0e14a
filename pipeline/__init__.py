"""The pipeline: sources, producer, database and queries. It knows no torch and no workers."""
