"""The schema's history; Alembic is its only maker."""
