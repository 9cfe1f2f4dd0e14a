"""Weights: a name or a file in, one checked state dict of MobileNet v2 and its labels out.

Nothing here imports torch unless a file is a pickle, or has to be downloaded: who only submits
should not wait for it.
"""

from workers.weights.finding import Weights, find_by_sha256, find_weights
from workers.weights.hashing import file_sha256
from workers.weights.published import DEMO, NAMES, download_weights, is_downloaded
from workers.weights.state import State, read_state

__all__ = [
    "DEMO",
    "NAMES",
    "State",
    "Weights",
    "download_weights",
    "file_sha256",
    "find_by_sha256",
    "find_weights",
    "is_downloaded",
    "read_state",
]
