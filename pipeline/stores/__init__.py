"""Object stores: their objects listed and read, whichever fsspec knows and the operator enables."""

from pipeline.stores.objects import facts_of, read_object
from pipeline.stores.schemes import is_store

__all__ = ["facts_of", "is_store", "read_object"]
