"""
Mutations of valid input.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

hurried = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
"""
Settings without a deadline, since the machine may be busy.
"""

_TOKEN = re.compile(
    rb'(?P<name>"(?:[^"\\\x00-\x1f]|\\.)*")\s*:'
    rb'|(?P<value>"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)'
)

NASTY_VALUES = (
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1.5",
    b"1e400",
    b"-0.0",
    b"NaN",
    b"Infinity",
    b"9007199254740993",
    b"18446744073709551616",
    b"1" * 330,
    b"9" * 5000,
    b'""',
    b'" "',
    b'"0"',
    b'"\\ud83e"',
    b'"\\udd9e\\ud83e"',
    b'"\\u0000"',
    b'"\\r\\n\\r\\ndata: [DONE]\\n\\n"',
    b'"\xe2\x80\xa8\xc2\x85"',
    b'"\xed\xa0\xbe"',
    b'"</think>"',
    b'"<think>"',
    b'"../../etc/passwd"',
    b'"' + b"x" * 5000 + b'"',
    b"[]",
    b"[[]]",
    b"{}",
    b'{"":{}}',
    b'[null,0,"",[],{}]',
    b"[" * 900 + b"]" * 900,
    b'{"a":' * 5000 + b"0" + b"}" * 5000,
    b"[" * 100_000,
)
"""
JSON, and invalid JSON, in place of a value.
"""

NASTY_BYTES = (
    b"\x00",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"data:",
    b"data: [DONE]\n\n",
    b"event: error\n",
    b": \n",
    b'"',
    b"\\",
    b"\\u",
    b"\\ud83e",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" " * 300,
    b"<!DOCTYPE html>",
)

Mutation = Callable[[bytes], bytes]
_places = st.integers(0, 2**20)
_lengths = st.integers(1, 40) | st.integers(1, 2000)


def _put(start: int, length: int, new: bytes) -> Mutation:
    def mutate(data: bytes) -> bytes:
        place = start % (len(data) + 1)
        return data[:place] + new + data[place + length :]

    return mutate


def _copied(start: int, length: int, target: int, times: int) -> Mutation:
    def mutate(data: bytes) -> bytes:
        begin, place = start % (len(data) + 1), target % (len(data) + 1)
        return data[:place] + data[begin : begin + length] * times + data[place:]

    return mutate


def _flipped(start: int, bit: int) -> Mutation:
    def mutate(data: bytes) -> bytes:
        if not data:
            return data
        place = start % len(data)
        return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

    return mutate


def _cut(start: int) -> Mutation:
    return lambda data: data[: start % (len(data) + 1)]


def _spans(kind: str, data: bytes) -> list[tuple[int, int]]:
    """
    Return the spans of the values in JSON, or of the names.
    """
    found = (match.span(kind) for match in _TOKEN.finditer(data))
    return [span for span in found if span[0] >= 0]


def _replaced(kind: str, which: int, new: bytes) -> Mutation:
    def mutate(data: bytes) -> bytes:
        spans = _spans(kind, data)
        if not spans:
            return data
        start, end = spans[which % len(spans)]
        return data[:start] + new + data[end:]

    return mutate


def _exchanged(kind: str, one: int, other: int) -> Mutation:
    """
    Replace a part by another of the same kind.
    """

    def mutate(data: bytes) -> bytes:
        spans = _spans(kind, data)
        if not spans:
            return data
        start, end = spans[other % len(spans)]
        return _replaced(kind, one, data[start:end])(data)

    return mutate


_meaningful = st.one_of(
    st.builds(_replaced, st.just("value"), _places, st.sampled_from(NASTY_VALUES)),
    st.builds(_exchanged, st.sampled_from(["value", "name"]), _places, _places),
)
"""
Mutations that mostly keep JSON valid.
"""

_mutations = st.one_of(
    _meaningful,
    st.builds(_put, _places, st.just(0), st.sampled_from(NASTY_BYTES)),
    st.builds(_put, _places, _lengths, st.just(b"") | st.binary(max_size=8)),
    st.builds(_copied, _places, _lengths, _places, st.integers(1, 3)),
    st.builds(_flipped, _places, st.integers(0, 7)),
    st.builds(_cut, _places),
)


def _spliced(one: bytes, other: bytes, first: int, second: int) -> bytes:
    return one[: first % (len(one) + 1)] + other[second % (len(other) + 1) :]


def _mutated(data: bytes, mutations: Sequence[Mutation]) -> bytes:
    for mutation in mutations:
        data = mutation(data)
    return data


def mutated(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """
    Mutate a sample, or a splice of two, several times.
    """
    whole = st.sampled_from(samples)
    return st.builds(
        _mutated,
        whole | st.builds(_spliced, whole, whole, _places, _places),
        st.lists(_mutations, min_size=1, max_size=4)
        | st.lists(_meaningful, max_size=4),
    )


def everyValueReplaced(sample: bytes) -> Iterator[bytes]:
    """
    Replace each JSON value of a sample by each of the nasty values.
    """
    for start, end in _spans("value", sample):
        for nasty in NASTY_VALUES:
            yield sample[:start] + nasty + sample[end:]


__all__ = ["NASTY_BYTES", "NASTY_VALUES", "everyValueReplaced", "hurried", "mutated"]
