"""Sources: what a user names on the command line, made into one stream of references."""

from pipeline.sources.options import SourceOptions
from pipeline.sources.reading import (
    check_sources,
    list_folder_sources,
    read_sources,
    sources_hash,
)

__all__ = ["SourceOptions", "check_sources", "list_folder_sources", "read_sources", "sources_hash"]
