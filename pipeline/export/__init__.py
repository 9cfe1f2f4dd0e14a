"""Results as files: CSV, JSONL and Parquet, streamed."""
