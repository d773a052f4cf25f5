"""
Messages between the daemon and the embedded model's process::

    daemon ── one EngineOrder, as a line of JSON ──────────────► stdin of the process
    daemon ◄─ one EngineListening or EngineRefused, likewise ─── descriptor 3

The daemon keeps its end of stdin open and writes no more.  When it is closed, for any
reason, the process exits.
"""

import msgspec

STDIN, STDOUT, STDERR, RESPONSE = 0, 1, 2, 3
"""
The descriptors of the process.
"""


class EngineOrder(msgspec.Struct, frozen=True):
    """
    The model to run, and its options.  They are sent through a pipe because other users
    of the machine can read arguments, and child processes the environment.

    @ivar model: The path of a GGUF file.
    @ivar name: The model's ID in responses.
    @ivar key: The token that requests must have in C{Authorization: Bearer}.
    @ivar contextSize: The size of each conversation's context, in tokens.
    @ivar maxTokens: The default limit of a reply, in tokens.
    @ivar packaged: Whether these are the packaged weights, which have sampling
        defaults.
    @ivar parallel: The number of concurrent replies.
    @ivar embeddings: Create embeddings instead of replies.
    @ivar threads: The number of threads; C{None} for the process's default.
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
    The model is loaded and accepts requests.

    @ivar address: Its base URL, such as C{http://127.0.0.1:41259}.
    """

    address: str


class EngineRefused(msgspec.Struct, frozen=True, tag="refused"):
    """
    The model cannot be run.

    @ivar reason: The reason, for the log.
    @ivar missingLibrary: The file name of a shared library that the engine needs and
        the system does not have.
    """

    reason: str
    missingLibrary: str | None = None


EngineResponse = EngineListening | EngineRefused
