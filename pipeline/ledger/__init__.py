"""The chunk ledger: one definition of work, one fence, one lock."""

from pipeline.ledger.claims import (
    claim,
    claim_next,
    finish,
    free_leases,
    give_back,
    renew,
    seconds_to_next,
)
from pipeline.ledger.completion import complete

__all__ = [
    "claim",
    "claim_next",
    "complete",
    "finish",
    "free_leases",
    "give_back",
    "renew",
    "seconds_to_next",
]
