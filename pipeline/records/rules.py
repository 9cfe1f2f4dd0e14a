"""What a job asks of whoever carries its chunks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.records.jobs import StoredModel
from pipeline.records.words import Precision


@dataclass(frozen=True, slots=True)
class JobRules:
    """What a chunk's job asks: the model, the limits, and how failures are treated.

    ``weights`` is the name or file that the submission gave; ``sha256`` is what counts.
    ``folders`` are the sources that were folders then: absent, nothing can be said of their files.
    ``roots``: no local path that leads out of them is read (None: the job does not say).
    """

    model: StoredModel
    top_k: int
    retries: int
    handle: str = ""
    weights: str = ""
    sha256: str = ""
    precision: Precision = Precision.AUTO
    preprocessing: str = ""
    folders: tuple[str, ...] = ()
    roots: tuple[Path, ...] | None = None
    max_pixels: int | None = None
    max_bytes: int | None = None
    #: Bytes that were seen before take their answer from the database.
    reuse: bool = False
    #: The job has a failure budget.
    limited: bool = False
