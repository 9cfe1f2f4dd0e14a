"""The choice: how an engine is laid out on this machine, and why."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pipeline.config import Settings
from workers.classifier.making import EngineName
from workers.tuning.measurements import Rate


@dataclass(frozen=True, slots=True)
class Given:
    """What was set by hand: it is taken as it is, and nothing else is measured in its place."""

    engine: EngineName | None = None
    max_batch: int | None = None
    loaders: int | None = None
    piece: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Given:
        """Return what these settings decide."""
        return cls(settings.engine, settings.max_batch, settings.loaders, settings.piece)

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that were set by hand."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to choose."""
        return len(self.names) == len(fields(self))


@dataclass(frozen=True, slots=True)
class Choice:
    """A layout; counts are images, but ``loaders`` are processes and ``streams`` threads.

    ``measured`` is what it rests on: empty when it is the built-in one, or was set by hand.
    ``decode_s`` is in seconds of one core for an image.
    """

    engine: EngineName
    max_batch: int
    loaders: int
    piece: int
    streams: int
    why: str
    measured: tuple[Rate, ...] = ()
    decode_s: float | None = None

    @property
    def summary(self) -> str:
        """The layout in a line, for people."""
        loaders = f"{self.loaders} loader process{'' if self.loaders == 1 else 'es'}"
        return f"{self.engine}, batches of {self.max_batch}, {loaders}, pieces of {self.piece}"
