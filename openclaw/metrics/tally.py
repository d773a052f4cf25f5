"""
Counters of runs in progress: plain numbers, since each run pays for them.

What they look like to Prometheus is in L{openclaw.metrics.prometheus_families}.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Generic, TypeVar

from openclaw.metrics.run_log_lines import EmbeddingAccount, RunAccount

Key = TypeVar("Key", bound=tuple[str, ...])

MAX_KEYS = 5000
"""
Limit of the labels of one counter: more than any configuration names, so that no
mistake can fill the memory of those who keep these numbers.
"""

OTHER = "other"
"""
The label for all that comes after those.
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
The bounds between which the durations of runs are counted.
"""


class Counts(Generic[Key]):
    """
    A counter with labels.

    @ivar found: The sums by what was counted.
    """

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self.found: dict[Key, int] = {}
        self._limit = limit

    def add(self, key: Key, amount: int = 1) -> None:
        """
        Count some more.

        @param key: Its labels.
        """
        found = self.found
        if key not in found:
            if len(found) >= self._limit:
                key = (OTHER,) * len(key)  # type: ignore[assignment]
            found.setdefault(key, 0)
        found[key] += amount


class Durations:
    """
    A histogram of durations.

    @ivar bounds: The upper bounds of the classes, in seconds; a last class has none.
    @ivar counts: How many came into each.
    @ivar sum: All of them together, in seconds.
    """

    def __init__(self, bounds: Sequence[float] = RUN_SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """
        Count one more.
        """
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Tally:
    """
    All that is counted.  Its labels come from the configuration and from our own
    code, never from callers.

    @ivar runs: Runs that ended, by agent and outcome.
    @ivar embeddings: Calls for embeddings that ended, by agent and outcome.
    @ivar tokens: Tokens by agent and kind.
    @ivar upstreamErrors: Calls of models that failed, by provider and error code.
    @ivar toolCalls: Calls of agents' own tools, by tool and outcome.
    @ivar storeErrors: What the session store could not do for runs.
    @ivar durations: How long runs took in all.
    @ivar firstTokens: How long their callers waited for the first token.
    @ivar queueing: How long they waited for a place and a session.
    @ivar embeddingDurations: How long calls for embeddings took in all.
    """

    def __init__(self) -> None:
        self.runs: Counts[tuple[str, str]] = Counts()
        self.embeddings: Counts[tuple[str, str]] = Counts()
        self.tokens: Counts[tuple[str, str]] = Counts()
        self.upstreamErrors: Counts[tuple[str, str]] = Counts()
        self.toolCalls: Counts[tuple[str, str]] = Counts()
        self.storeErrors = 0
        self.durations = Durations()
        self.firstTokens = Durations()
        self.queueing = Durations()
        self.embeddingDurations = Durations()

    def runEnded(self, account: RunAccount) -> None:
        """
        A run is over.
        """
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

    def embeddingEnded(self, account: EmbeddingAccount) -> None:
        """
        A call for embeddings is over.
        """
        self.embeddings.add((account.agent, account.outcome))
        self.embeddingDurations.add(account.totalSeconds)
        if account.tokens:
            self.tokens.add((account.agent, "embedding"), account.tokens)

    def upstreamFailed(self, provider: str, code: str | None) -> None:
        """
        A model's provider failed.
        """
        self.upstreamErrors.add((provider, code or "unknown"))

    def toolEnded(self, tool: str, outcome: str) -> None:
        """
        A call of a tool is over.
        """
        self.toolCalls.add((tool, outcome))
