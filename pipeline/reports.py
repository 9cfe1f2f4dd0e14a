"""What a run tells its caller: its report at the end, or that it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import Job
from pipeline.webhooks.standing import Webhook


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one call of ``run`` did.

    ``failures`` counts the job's failed images by code; ``images`` and ``seconds`` are this
    call's own: how many got their outcome, and how long it took, start-up included.
    """

    job: Job
    failures: dict[str, int]
    images: int
    seconds: float
    #: The job had been begun before, and went on where it had stopped.
    resumed: bool = False
    #: There was nothing left to do.
    was_complete: bool = False


@dataclass(frozen=True, slots=True)
class SubmitReport:
    """A submitted job, as it was when the call ended, and its failed images by code."""

    job: Job
    failures: dict[str, int]
    webhook: Webhook | None = None


class Interrupted(KeyboardInterrupt):
    """A run was stopped; what is finished is stored, and the same call goes on from there."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.handle} was interrupted")
        self.job = job


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A job that is stored; ``unsent`` says why nothing of it could be sent to the workers yet.

    ``is_new``: there was none of its name.
    """

    job: Job
    unsent: str | None
    is_new: bool
