"""
Messages between the daemon and the embedded model's process::

    daemon ── one Order, as a line of JSON ─────────────► stdin of the process
    daemon ◄─ one Listening or Refused, likewise ──────── descriptor 3

The daemon keeps its end of stdin open and writes no more.  When that end closes,
for whatever reason, the process ends.
"""

import msgspec

STDIN, STDOUT, STDERR, ANSWER = 0, 1, 2, 3
"""
The descriptors of the process.
"""


class EngineOrder(msgspec.Struct, frozen=True):
    """
    The model to run, and its options. They go through a pipe because other users of the
    machine can read arguments, and the process's own children its environment.

    @ivar model: The path of a GGUF file.
    @ivar name: The model's id, as it shall stand in answers.
    @ivar key: What a request must carry in C{Authorization: Bearer}.
    @ivar contextSize: How much each conversation can hold, in tokens.
    @ivar maxTokens: The longest answer where a request names no limit, in tokens.
    @ivar packaged: Are these the packaged weights, whose makers say how to sample?
    @ivar parallel: How many answers to work on at once.
    @ivar embeddings: Make vectors of texts, and not answers.
    @ivar threads: How many processor threads to use; C{None} leaves it to the
        process.
    """

    model: str
    name: str
    key: str
    contextSize: int
    maxTokens: int
    packaged: bool
    parallel: int
    threads: int | None
    embeddings: bool = False


class EngineListening(msgspec.Struct, frozen=True, tag="listening"):
    """
    The model is loaded and can be asked.

    @ivar address: Where, such as C{http://127.0.0.1:41259}.
    """

    address: str


class EngineRefused(msgspec.Struct, frozen=True, tag="refused"):
    """
    The model can't be run.

    @ivar reason: Why, for the log.
    """

    reason: str


Answer = EngineListening | EngineRefused
