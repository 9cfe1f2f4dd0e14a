"""Findings: what the storm was not to bring about; each is a sentence."""

from __future__ import annotations

import threading


class Findings:
    """Collects sentences from any thread; none of them is a good end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Note that something is wrong; what was said already is not said again."""
        with self._lock:
            if sentence not in self._sentences:
                self._sentences.append(sentence)

    def list(self) -> list[str]:
        """Return what was found, in its order."""
        with self._lock:
            return list(self._sentences)
