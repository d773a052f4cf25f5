"""
Counters and histograms of runs: plain numbers, to add little to the cost of a run.

L{openclaw.metrics.prometheus_families} formats them.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Generic, TypeVar

from openclaw.metrics.run_log_lines import EmbeddingLogEntry, RunLogEntry

Key = TypeVar("Key", bound=tuple[str, ...])

MAX_KEYS = 5000
"""
The limit of label combinations of one counter: more than any configuration needs, so
that a mistake can't fill the memory of the collector.
"""

OTHER = "other"
"""
The label of all combinations beyond L{MAX_KEYS}.
"""

RUN_SECONDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    120,
    300,
    600,
)
"""
The upper bounds of the buckets of durations.
"""


class LabelledCounter(Generic[Key]):
    """
    A counter with labels.

    @ivar sums: The sums by labels.
    """

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self.sums: dict[Key, int] = {}
        self._limit = limit

    def add(self, key: Key, amount: int = 1) -> None:
        sums = self.sums
        if key not in sums:
            if len(sums) >= self._limit:
                key = (OTHER,) * len(key)  # type: ignore[assignment]
            sums.setdefault(key, 0)
        sums[key] += amount


class DurationHistogram:
    """
    A histogram of durations.

    @ivar bounds: The upper bounds of the buckets, in seconds; the last bucket has none.
    @ivar counts: The count of each bucket.
    @ivar sum: The sum of all durations, in seconds.
    """

    def __init__(self, bounds: Sequence[float] = RUN_SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Tally:
    """
    The counters and histograms of a gateway.  The labels come from the configuration
    and from the code, never from requests.

    @ivar runs: Runs that ended, by agent and outcome.
    @ivar embeddings: Embedding requests that ended, by agent and outcome.
    @ivar tokens: Tokens by agent and kind.
    @ivar upstreamErrors: Model calls that failed, by provider and error code.
    @ivar toolCalls: Calls of the agents' tools, by tool and outcome.
    @ivar storeErrors: Operations of the session store that failed.
    @ivar durations: Durations of runs.
    @ivar firstTokens: Times to the first output of runs.
    @ivar queueing: Waits for a slot and for the session.
    @ivar embeddingDurations: Durations of embedding requests.
    """

    def __init__(self) -> None:
        self.runs: LabelledCounter[tuple[str, str]] = LabelledCounter()
        self.embeddings: LabelledCounter[tuple[str, str]] = LabelledCounter()
        self.tokens: LabelledCounter[tuple[str, str]] = LabelledCounter()
        self.upstreamErrors: LabelledCounter[tuple[str, str]] = LabelledCounter()
        self.toolCalls: LabelledCounter[tuple[str, str]] = LabelledCounter()
        self.storeErrors = 0
        self.durations = DurationHistogram()
        self.firstTokens = DurationHistogram()
        self.queueing = DurationHistogram()
        self.embeddingDurations = DurationHistogram()

    def countRun(self, account: RunLogEntry) -> None:
        agent, usage = account.agent, account.usage
        self.runs.add((agent, account.outcome))
        self.durations.add(account.totalSeconds)
        self.queueing.add(account.queueSeconds)
        if account.firstSeconds is not None:
            self.firstTokens.add(account.firstSeconds)
        if usage.prompt_tokens or usage.completion_tokens:
            self.tokens.add((agent, "prompt"), usage.prompt_tokens)
            self.tokens.add((agent, "completion"), usage.completion_tokens)
            if usage.cached_tokens:
                self.tokens.add((agent, "cached"), usage.cached_tokens)
            if usage.reasoning_tokens:
                self.tokens.add((agent, "reasoning"), usage.reasoning_tokens)

    def countEmbedding(self, account: EmbeddingLogEntry) -> None:
        self.embeddings.add((account.agent, account.outcome))
        self.embeddingDurations.add(account.totalSeconds)
        if account.tokens:
            self.tokens.add((account.agent, "embedding"), account.tokens)

    def countUpstreamError(self, provider: str, code: str | None) -> None:
        self.upstreamErrors.add((provider, code or "unknown"))

    def countToolCall(self, tool: str, outcome: str) -> None:
        self.toolCalls.add((tool, outcome))
