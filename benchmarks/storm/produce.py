"""A producer of the storm: submits the jobs that it is told on standard input, one a line.

It answers with the name of each once that is stored, however often it had to try. A submission
has many small pieces, and rests between them, so that it can be killed in the middle.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

#: Chunks in one piece of a submission.
_PIECE = 2
#: How soon what failed is tried again, in seconds.
_AGAIN_S = 0.5


def main() -> None:
    """Submit until standard input ends."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    producer: Any = import_module("pipeline.producer")
    submission: Any = import_module("workers.submission")
    read, told = submission.read_sources, dict[str, Any]()

    def read_slowly(*arguments: Any) -> Iterator[Any]:
        for number, one in enumerate(read(*arguments)):
            if number % producer._PIECE == 0:
                time.sleep(told["rest_s"] * producer._PIECE / told["images"])
            yield one

    submission.read_sources = read_slowly
    for line in sys.stdin:
        told.update(json.loads(line))
        producer._PIECE = _PIECE * told["chunk_size"]
        submit(told)
        print(told["name"], flush=True)


def submit(told: dict[str, Any]) -> None:
    """Submit one job until it is stored."""
    from pipeline import api
    from pipeline.errors import ImagemillError
    from pipeline.records import Priority

    while True:
        try:
            api.submit(
                [told["manifest"]],
                name=told["name"],
                source_options=api.SourceOptions(uri_column="uri", id_column="id"),
                priority=Priority(told["priority"]),
                chunk_size=told["chunk_size"],
                wait=False,
            )
        except ImagemillError as error:
            logging.warning("%s: %s", told["name"], error)
            time.sleep(_AGAIN_S)
        else:
            return


if __name__ == "__main__":
    # In place of this folder, whose modules are none of the producer's.
    sys.path[0] = str(Path(__file__).parents[2])
    main()
