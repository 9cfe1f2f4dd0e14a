"""What a forward thread needs of a classifier, whatever computes in it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

#: Class indexes and softmax scores, a row for each image, best first.
Found = tuple[list[list[int]], list[list[float]]]


class Classifier(Protocol):
    """One model in one precision on one device; any number of threads may call it."""

    def classify(self, pixels: Tensor, top_k: int, /) -> Found:
        """Return class indexes and softmax scores, best first, ``top_k`` of them for each image.

        ``pixels`` is uint8 of shape (n, 224, 224, 3). An image whose scores are not finite gets
        NaN as its first score. Raises what the device raises (torch.OutOfMemoryError included).
        """
        ...
