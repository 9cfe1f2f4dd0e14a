"""The `imagemill` command: one noun per file; `main` wires them."""
