"""`imagemill predictions`: list, count and export."""
