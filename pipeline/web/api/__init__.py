"""The routes under /api/v1, and those that programs ask how the server is."""
