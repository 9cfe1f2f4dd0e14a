"""What the page asks of a large job: as reads of the database, and as addresses over HTTP."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

import sqlalchemy as sa
from bulk_rows import MadeJob

from pipeline.queries.cursors import write_cursor, write_rank_cursor
from pipeline.queries.filters import PredictionFilter as Filter
from pipeline.queries.histograms import get_label_histogram, get_score_histogram
from pipeline.queries.image import get_image, list_history
from pipeline.queries.jobs import get_job
from pipeline.queries.keys import START
from pipeline.queries.meaning import resolve
from pipeline.queries.models import list_model_labels
from pipeline.queries.orders import Order
from pipeline.queries.rankings import rank
from pipeline.queries.results import list_results

#: Images of a gallery's page, and the page that has to come as fast as the first.
PAGE = 48
DEEP = 1000
#: Labels so frequent in 9,000,000 images that there is such a page of each.
_FREQUENT = 10


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its parameters: how the product reads it, and its address (if any)."""

    read: Callable[[sa.Connection], object]
    address: str | None


@dataclass(frozen=True, slots=True)
class Draw:
    """Random parameters of questions about one job; its uris are some that the product finds."""

    job: MadeJob
    uris: list[tuple[MadeJob, str]]

    def everything(self) -> Filter:
        return Filter(self.job.name)

    def label(self) -> Filter:
        return Filter(self.job.name, label=f"label {random.randrange(_FREQUENT)}")

    def scores(self) -> Filter:
        lowest = random.random() * 0.8
        return Filter(self.job.name, min_score=lowest, max_score=lowest + 0.2)

    def start(self) -> Filter:
        # All of a hundred folders of 1,000 images.
        folder = f"{random.randrange(self.job.size) // 1000:05}"
        return Filter(self.job.name, uri=f"{self.job.folder}{folder[:-2]}*")

    def code(self) -> Filter:
        return Filter(self.job.name, code="not_found")

    def uri(self) -> str:
        return random.choice(self.uris)[1]


Choose = Callable[[sa.Connection, Draw], Question]

GALLERIES: dict[str, tuple[Callable[[Draw], Filter], Order]] = {
    "job": (Draw.everything, Order.INDEX),
    "job, least certain": (Draw.everything, Order.LEAST_CERTAIN),
    "job, most certain": (Draw.everything, Order.MOST_CERTAIN),
    "label": (Draw.label, Order.INDEX),
    "label, least certain": (Draw.label, Order.LEAST_CERTAIN),
    "scores, least certain": (Draw.scores, Order.LEAST_CERTAIN),
    "start of the uri": (Draw.start, Order.INDEX),
    "failure code": (Draw.code, Order.INDEX),
}


def draw_questions(*, ended: bool) -> dict[str, Choose]:
    """Return what is asked of a job that goes on, or of one that has ended."""
    state = "finished" if ended else "running"
    asked: dict[str, Choose] = {
        f"labels of the {state} job": _draw_labels,
        f"scores of the {state} job": _draw_scores,
    }
    if ended:
        for name, (choose, order) in GALLERIES.items():
            asked[f"page: {name}"] = partial(_draw_html, choose, order, 1)
            asked[f"page: {name}, page {DEEP:,}"] = partial(_draw_html, choose, order, DEEP)
        return asked
    for name, (choose, order) in GALLERIES.items():
        asked[f"gallery: {name}"] = partial(_draw_page, choose, order, 1)
        asked[f"gallery: {name}, page {DEEP:,}"] = partial(_draw_page, choose, order, DEEP)
    others = {"image": _draw_image, "history of a uri": _draw_history}
    return {**asked, **others, "labels of its model": _draw_model}


def _draw_page(
    choose: Callable[[Draw], Filter], order: Order, page: int, conn: sa.Connection, draw: Draw
) -> Question:
    wanted = choose(draw)
    cursor = _find_cursor(conn, wanted, order, (page - 1) * PAGE)
    said = {
        "job": wanted.job,
        "label": wanted.label,
        "uri": wanted.uri,
        "code": wanted.code,
        "min_score": wanted.min_score,
        "max_score": wanted.max_score,
        "sort": order,
        "limit": PAGE,
        "cursor": cursor,
    }
    stated = urlencode({name: value for name, value in said.items() if value is not None})
    read = partial(list_results, wanted=wanted, limit=PAGE, cursor=cursor, order=order)
    return Question(read, f"/api/v1/predictions?{stated}")


def _draw_html(
    choose: Callable[[Draw], Filter], order: Order, page: int, conn: sa.Connection, draw: Draw
) -> Question:
    """Draw a gallery as people open it: the whole page, its histograms and numbers with it."""
    wanted = choose(draw)
    cursor = _find_cursor(conn, wanted, order, (page - 1) * PAGE)
    said = {
        "label": wanted.label,
        "uri": wanted.uri and wanted.uri.removesuffix("*"),
        "outcome": wanted.code,
        "min_score": wanted.min_score,
        "max_score": wanted.max_score,
        "sort": order,
        "cursor": cursor,
    }
    stated = urlencode({name: value for name, value in said.items() if value is not None})
    read = partial(list_results, wanted=wanted, limit=PAGE, cursor=cursor, order=order)
    return Question(read, f"/jobs/{wanted.job}?{stated}")


def _find_cursor(conn: sa.Connection, wanted: Filter, order: Order, before: int) -> str | None:
    """Return the cursor behind so many images, or behind all of them if there are fewer."""
    if not before:
        return None
    query = resolve(conn, wanted)
    if order is Order.INDEX:
        return write_cursor(query.read(conn, START, before)[-1])
    ranking = rank(query, wanted, order)
    return write_rank_cursor(order, ranking.job_id, ranking.read(conn, None, before)[-1])


def _draw_labels(_: sa.Connection, draw: Draw) -> Question:
    name = draw.job.name
    return Question(
        lambda conn: get_label_histogram(conn, get_job(conn, name)), f"/api/v1/jobs/{name}/labels"
    )


def _draw_scores(_: sa.Connection, draw: Draw) -> Question:
    name = draw.job.name
    return Question(
        lambda conn: get_score_histogram(conn, get_job(conn, name)), f"/api/v1/jobs/{name}/scores"
    )


def _draw_image(_: sa.Connection, draw: Draw) -> Question:
    name, uri = draw.job.name, draw.uri()
    # As the benchmark names its pictures: /data/shop-00/00012/00012345.jpg.
    index = int(uri.rpartition("/")[2].removesuffix(".jpg"))
    read = partial(get_image, job_key=name, index=index)
    return Question(read, f"/api/v1/jobs/{name}/images/{index}")


def _draw_history(_: sa.Connection, draw: Draw) -> Question:
    return Question(partial(list_history, uri=draw.uri()), None)


def _draw_model(conn: sa.Connection, draw: Draw) -> Question:
    job = get_job(conn, draw.job.name)
    read = partial(list_model_labels, model_id=job.model_id, job_id=job.id)
    return Question(read, f"/api/v1/models/{job.model_id}/labels?job={draw.job.name}")
