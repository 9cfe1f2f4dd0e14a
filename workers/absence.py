"""What a worker may lack for a job that another worker has."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ImagemillError
from pipeline.records import JobRules
from workers.watch.vitals import Problem


class Absent(ImagemillError):  # noqa: N818 (no error of the job: another worker has it)
    """What this worker lacks for a job; its text says that, and what to do."""

    def __init__(self, problem: Problem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


def check_folders(rules: JobRules) -> None:
    """Raise Absent unless the folders that the job was submitted with are here.

    Without the mount every file of them would be `not_found`.
    """
    for folder in rules.folders:
        if not Path(folder).is_dir():
            raise Absent(
                Problem.FOLDER,
                f"the folder {folder} of job {rules.handle} is not here; mount it at the same path",
            )
