"""Progress as a bar on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from pipeline.cli.run.progress import Display, Meter, count_done, describe, describe_stored

if TYPE_CHECKING:
    from pipeline.records import Counts


class Bar(Display):
    """A bar on standard error; it moves from the start on, while the model is being loaded."""

    def __init__(self) -> None:
        super().__init__(Meter())
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
        )
        self._progress.start()
        self._task = self._progress.add_task("starting", total=None)

    def show_stored(self, images: int) -> None:
        """Show how many images are stored beside the bar, which does not know its end yet."""
        self._progress.update(self._task, description=describe_stored(images))

    def show(self, counts: Counts) -> None:
        """Move the bar to where the job is."""
        self._progress.update(
            self._task,
            total=counts.total,
            completed=count_done(counts),
            description=describe(counts, self.meter),
        )

    def close(self) -> None:
        """Leave the bar where it is, with the last state beside it."""
        self._progress.stop()
