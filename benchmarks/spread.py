"""
The little statistics that the benchmarks need.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec


class Quantiles(msgspec.Struct, frozen=True):
    """
    How the durations of one round are spread, in milliseconds.

    @ivar worst: The longest.
    """

    p50: float
    p90: float
    p99: float
    worst: float


class Spread(msgspec.Struct, frozen=True):
    """
    What the rounds came to.

    @ivar middle: The median over the rounds.
    @ivar low: The lowest of a round.
    @ivar high: The highest of a round.
    """

    middle: float
    low: float
    high: float


def atRank(ordered: Sequence[float], share: float) -> float:
    """
    A quantile by nearest rank: the smallest value that at least this share of all
    values does not exceed.

    @param ordered: The values, the smallest first; not empty.
    @param share: From above 0 to 1.
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def quantiles(durations: Iterable[float]) -> Quantiles | None:
    """
    The spread of some durations in seconds, or C{None} of none.
    """
    ordered = sorted(durations)
    if not ordered:
        return None
    shares = (0.5, 0.9, 0.99, 1.0)
    return Quantiles(*(round(atRank(ordered, share) * 1000, 3) for share in shares))


def spread(values: Iterable[float | None]) -> Spread | None:
    """
    The spread of the values that are known, or C{None} if none is.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(median(known), min(known), max(known))
