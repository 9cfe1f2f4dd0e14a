"""How right the demo's answers are: each drawn picture carries its label in its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.records import ImageResult
    from workers.demo.contact_sheet import Cell, Mark

#: A contact sheet of more thumbnails than this is too long to look at.
_MOST_CELLS = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What was drawn in a file (None: no picture of ours) and what was said of it."""

    path: Path
    truth: str | None
    said: str | None
    code: str | None

    @property
    def mark(self) -> Mark:
        """``right``, ``wrong``, or ``failed`` (no label at all)."""
        if self.said is None:
            return "failed"
        return "right" if self.said == self.truth else "wrong"


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How many pictures of a label were drawn, and how many were recognised."""

    label: str
    pictures: int
    right: int

    @property
    def accuracy(self) -> float:
        """The share of right answers, from 0 to 1."""
        return self.right / self.pictures


def read_answers(results: Iterable[ImageResult]) -> list[Answer]:
    """Return what was said of each file, in the job's order."""
    from workers.demo.drawing import true_label

    answers = []
    for result in results:
        path = Path(result.uri)
        said = result.predictions[0].label if result.predictions else None
        code = str(result.error.code) if result.error else None
        answers.append(Answer(path, true_label(path), said, code))
    return answers


def score_labels(answers: Iterable[Answer]) -> list[LabelScore]:
    """Return the classified drawn pictures by label, in the order of the alphabet."""
    judged = [a for a in answers if a.truth is not None and a.said is not None]
    by_label: dict[str, list[bool]] = {}
    for answer in judged:
        by_label.setdefault(str(answer.truth), []).append(answer.mark == "right")
    return [LabelScore(k, len(right), sum(right)) for k, right in sorted(by_label.items())]


def find_accuracy(scores: Sequence[LabelScore]) -> float | None:
    """Return the share of right answers over all labels, 0 to 1; None without a picture."""
    pictures = sum(score.pictures for score in scores)
    return sum(score.right for score in scores) / pictures if pictures else None


def make_cells(answers: Sequence[Answer]) -> list[Cell]:
    """Return the contact sheet's cells: what was not right first, then the rest as it came."""
    from workers.demo.contact_sheet import Cell

    ordered = sorted(answers, key=lambda answer: answer.mark == "right")
    return [Cell(a.path, a.said or a.code or "", a.mark) for a in ordered[:_MOST_CELLS]]
