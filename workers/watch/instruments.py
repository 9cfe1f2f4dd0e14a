"""Instruments: every metric's name, kind, labels and help text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PREFIX = "imagemill"
#: The edges of the histogram's classes, in images.
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
#: ... and in seconds.
_WAITS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Instruments:
    """The metrics in a registry of their own; no label holds what grows with the work.

    The stages have counters of seconds, not histograms: what is known of a chunk is the sum over
    its images, whose spread would only be that of the chunks' sizes. ``rate()`` of one is the
    stage's load (how many are at it at the same time), and over the rate of images the mean time
    of an image.
    """

    def __init__(self) -> None:
        registry = CollectorRegistry()
        counter = partial(Counter, namespace=_PREFIX, registry=registry)
        gauge = partial(Gauge, namespace=_PREFIX, registry=registry)
        histogram = partial(Histogram, namespace=_PREFIX, registry=registry)
        self.registry = registry
        self.worker = Info("worker", "What computes here.", namespace=_PREFIX, registry=registry)
        self.images = counter("images_total", "Images that got an outcome.", ("outcome", "code"))
        self.stages = counter("stage_seconds_total", "Work of a stage on images.", ("stage",))
        self.batch_size = histogram(
            "batch_size", "Images in a batch, once for each chunk that rode in it.", buckets=_SIZES
        )
        self.queue_wait = histogram(
            "queue_wait_seconds",
            "Longest wait of a chunk's images between decoding and their batch.",
            buckets=_WAITS_S,
        )
        self.images_in_flight = gauge("images_in_flight", "Images in this worker's hands.")
        self.chunks_in_flight = gauge("chunks_in_flight", "Chunks in this worker's hands.")
        self.chunks = counter("chunks_total", "Chunks that left this worker.", ("result",))
        self.leases_lost = counter("leases_lost_total", "Claims of this worker that others took.")
        self.lost = counter("chunks_lost_total", "Expired leases that this worker's sweeps found.")
        self.resent = counter("chunks_resent_total", "Chunks that its sweeps sent again.")
        self.split = counter("chunks_split_total", "Chunks that its sweeps split into images.")
        self.refused = counter(
            "messages_refused_total", "Messages acknowledged without any work.", ("reason",)
        )
        self.backlog = gauge("backlog", "Messages that wait in the broker.", ("queue",))
        ProcessCollector(registry=registry)


class ProblemGauge(Collector):
    """One gauge for each of ``names``: 1 while ``current()`` holds it, asked at each reading."""

    def __init__(self, names: Collection[str], current: Callable[[], Collection[str]]) -> None:
        self._names = names
        self._current = current

    def collect(self) -> Iterator[Metric]:
        """Return the gauges."""
        help_text = "1 while something is wrong there."
        family = GaugeMetricFamily(f"{_PREFIX}_worker_problem", help_text, labels=("problem",))
        current = self._current()
        for name in self._names:
            family.add_metric((name,), name in current)
        yield family


class WithoutBirths(Collector):
    """The metrics of a registry without the ``_created`` series, which nobody reads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Return the metrics, one by one."""
        for metric in self._registry.collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric
