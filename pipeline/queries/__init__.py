"""All reads: jobs, chunks, labels, and results by filter and cursor."""
