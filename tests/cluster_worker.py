"""A worker of a small cluster, as its probes and its metrics show it."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from programs import PATIENCE_S, Program
from waiting import wait_for

_PORT = re.compile(r"metrics at port (\d+)")
_METRIC = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$")


class Worker:
    """A worker process of a cluster."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._port: str | None = None

    def wait_until_ready(self) -> Worker:
        """Wait until it takes chunks."""
        wait_for(self.is_ready, PATIENCE_S, f"a ready worker ({self.program.log})")
        return self

    def is_ready(self) -> bool:
        """Whether it takes chunks, and nothing is wrong with it."""
        assert self.program.lives, self.program.said()[-3000:]
        return self._ask("/readyz")[0] == 200

    def trouble(self) -> str:
        """Return what its readiness probe has to say."""
        return self._ask("/readyz")[1]

    def metric(self, name: str, label: str = "") -> float:
        """Return the sum of a metric's series, or of those that have the label's value."""
        found = (_METRIC.match(line) for line in self._ask("/metrics")[1].splitlines())
        return sum(
            float(one[3])
            for one in found
            if one and one[1] == f"imagemill_{name}" and f'"{label}"' in (one[2] or '""') + '""'
        )

    def wait_for_metric(self, name: str, value: float, label: str = "") -> None:
        """Wait until ``metric`` is that value."""
        wait_for(lambda: self.metric(name, label) == value, PATIENCE_S, f"{name} {label} {value:g}")

    def _ask(self, path: str) -> tuple[int, str]:
        if self._port is None:
            port = _PORT.search(self.program.said())
            if port is None:
                return 0, ""
            self._port = port[1]
        with suppress(URLError, TimeoutError):
            try:
                with urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as reply:
                    return reply.status, reply.read().decode()
            except HTTPError as error:
                with error:
                    return error.code, error.read().decode()
        return 0, ""
