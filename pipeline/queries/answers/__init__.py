"""The answers of a job by label and by score: counted whole, or in a sample."""
