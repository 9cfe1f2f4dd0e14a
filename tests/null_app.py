"""The workers' own Celery app around a NullEngine: `celery -A null_app worker`."""

from null_engine import NullEngine

from pipeline.config import load_settings
from workers.app import make_app

app = make_app(load_settings(), NullEngine.start)
