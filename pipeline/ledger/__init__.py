"""The chunk ledger: one definition of work, one fence, one lock."""

from pipeline.ledger.budget import enforce_budget
from pipeline.ledger.claims import claim, claim_next, seconds_to_next
from pipeline.ledger.completion import complete
from pipeline.ledger.control import cancel, resume, retry
from pipeline.ledger.finishing import finish
from pipeline.ledger.holding import free_leases, give_back, list_held, renew
from pipeline.ledger.jobs import list_ended_jobs, list_unsent_jobs
from pipeline.ledger.losses import Losses, expire_leases
from pipeline.ledger.sending import mark_ahead, mark_overdue, unmark
from pipeline.ledger.turns import WORKER_SESSION, end_frozen_sessions, take_turn

__all__ = [
    "WORKER_SESSION",
    "Losses",
    "cancel",
    "claim",
    "claim_next",
    "complete",
    "end_frozen_sessions",
    "enforce_budget",
    "expire_leases",
    "finish",
    "free_leases",
    "give_back",
    "list_ended_jobs",
    "list_held",
    "list_unsent_jobs",
    "mark_ahead",
    "mark_overdue",
    "renew",
    "resume",
    "retry",
    "seconds_to_next",
    "take_turn",
    "unmark",
]
