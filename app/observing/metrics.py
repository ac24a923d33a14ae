"""The metrics of one process, under names and labels whose number is bounded, in a registry of its own."""

from collections.abc import Callable
from http import HTTPMethod, HTTPStatus
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from app.domain.status import Kind
from app.observing.measures import Measures

PREFIX: Final = "evse_status"
#: Seconds, with the promises among them: 1 and 2 s, 5 s, 15 s, 60 s.
LAGS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 300, 3600)
_ANSWERS: Final = (0.005, 0.025, 0.1, 0.25, 1, 2.5, 10)
_COMMITS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
_GROUPS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_METHODS: Final = frozenset(HTTPMethod)
_WHY: Final = {
    HTTPStatus.UNAUTHORIZED: "unauthenticated",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.TOO_MANY_REQUESTS: "too-often",
}

# When a series began: as many lines again, that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """What is counted as it happens, and what is read off where it stands when somebody asks."""

    def __init__(self, *, version: str, embedded: bool) -> None:
        self.registry = CollectorRegistry()
        info = self._gauge("build_info", "Always 1: which version runs, on which database.", "version", "database")
        info.labels(version, "embedded" if embedded else "postgresql").set(1)
        self._boundary = self._histogram(
            "boundary_lag_seconds", "From a boundary until what it changes was stored and is shown.", LAGS
        )
        self._delivery = self._histogram(
            "delivery_lag_seconds",
            "From when a change came to be shown until a partner acknowledged it, retries included.",
            LAGS,
            "channel",
        )
        self._attempts = self._counter(
            "attempts_total", "Messages to partners, by what came of them; a bundle counts as what is in it.",
            "channel", "outcome",
        )  # fmt: skip
        self._planned = self._counter(
            "temporary_statuses_planned_total", "Temporary statuses that were planned.", "kind"
        )
        self._ended = self._counter(
            "temporary_statuses_ended_total", "Those that somebody ended; at their own end none is counted.", "kind"
        )
        self._commands = self._histogram("commit_commands", "Changes that were committed together.", _GROUPS)
        self._commit = self._histogram("commit_duration_seconds", "How long a transaction of changes took.", _COMMITS)
        self._braked = self._counter("brakes_tripped_total", "Brakes that took hold.")
        self._requests = self._counter(
            "api_requests_total", "Requests answered, by the route that was meant; `none`: there is no such path.",
            "route", "method", "status",
        )  # fmt: skip
        self._answering = self._histogram(
            "api_duration_seconds", "From a request to the head of its answer.", _ANSWERS, "route", "method"
        )
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._refusals = self._counter(
            "api_refusals_total", "Requests with no good key, one that may not do that, or too many.", "why"
        )
        self._streams = self._gauge("event_streams", "Event streams that are open.")
        self._loop = self._histogram(
            "loop_lag_seconds", "By how much the event loop was late for a look at the clock twice a second.", _COMMITS
        )
        for kind in Kind:  # so that there is a 0 before there is a 1, which alone would be no increase
            self._planned.labels(kind.value)
            self._ended.labels(kind.value)
        for why in _WHY.values():
            self._refusals.labels(why)
        ProcessCollector(registry=self.registry)

    @property
    def measures(self) -> Measures:
        return Measures(
            boundary=self._boundary.observe,
            committed=self._committed,
            planned=lambda kind: self._planned.labels(kind.value).inc(),
            ended=lambda kind: self._ended.labels(kind.value).inc(),
            braked=self._braked.inc,
            attempted=lambda channel, outcome: self._attempts.labels(channel, outcome).inc(),
            acknowledged=lambda channel, seconds: self._delivery.labels(channel).observe(seconds),
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer of the API; status 0: there was none."""
        method = method if method in _METHODS else "other"
        # Looked up here: the library's own way takes as long as all else that is done here.
        which = route, method, status // 100
        if (series := self._answers.get(which)) is None:
            counted = self._requests.labels(route, method, f"{status // 100}xx" if status else "none")
            series = self._answers[which] = counted, self._answering.labels(route, method)
        series[0].inc()
        series[1].observe(seconds)
        if (why := _WHY.get(status)) is not None:  # type: ignore[call-overload]
            self._refusals.labels(why).inc()

    def streaming(self, change: int) -> None:
        self._streams.inc(change)

    def late(self, seconds: float) -> None:
        """Note by how much the event loop was late."""
        self._loop.observe(seconds)

    def reads(self, name: str, help_: str, value: Callable[[], float]) -> None:
        """Add a gauge that is read off `value` when somebody asks."""
        self._gauge(name, help_).set_function(value)

    def _committed(self, commands: int, seconds: float) -> None:
        self._commands.observe(commands)
        self._commit.observe(seconds)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", help_, labels, registry=self.registry)

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", help_, labels, buckets=buckets, registry=self.registry)
