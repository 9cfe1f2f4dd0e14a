"""The classifiers see tensors only: uint8 pixels in, the best classes and their scores out."""

from workers.classifier.classifier import Classifier, Found

__all__ = ["Classifier", "Found"]
