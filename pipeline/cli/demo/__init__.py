"""`imagemill demo`: the command, how right it was, and what it shows."""
