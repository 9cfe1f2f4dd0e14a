"""The `imagemill` command with a failpoint: `python -m failing_command submit ...`."""

import failpoints

from pipeline.cli.main import main

failpoints.set_up()
main()
