"""Identity: what a model is known by, so that answers of two of them never mix unseen."""

from __future__ import annotations

from pipeline.records import Model, Precision
from workers.weights import Weights

#: Stored with every model: it grows when the same file would give other pixels than before.
PREPROCESSING = "2"


def identify(weights: Weights, precision: Precision) -> Model:
    """Return the model that these weights are in one precision."""
    return Model(weights.name, weights.sha256, precision, PREPROCESSING, weights.labels)
