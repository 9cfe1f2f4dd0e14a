"""The `imagemill` command with a failpoint: `python -m failing_command submit ...`.

IMAGEMILL_TEST_PIECE: images that one transaction of a submission holds.
"""

import os

import failpoints

import pipeline.producer
from pipeline.cli.main import main

failpoints.set_up()
pipeline.producer._PIECE = int(os.environ.get("IMAGEMILL_TEST_PIECE", pipeline.producer._PIECE))
main()
