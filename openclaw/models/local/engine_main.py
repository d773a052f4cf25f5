"""
The program of the embedded model's process, run by
L{openclaw.models.local.engine_process}.
"""

import fcntl
import os
import re
import select
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from openclaw.models.local.engine_messages import (
    RESPONSE,
    STDIN,
    EngineListening,
    EngineOrder,
    EngineRefused,
    EngineResponse,
)

if TYPE_CHECKING:
    from xllamacpp import Server

IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""
Signals that a terminal or a supervisor sends to the daemon and its children.  The
daemon needs its model while it drains; it ends this process by closing the pipe.
"""

TEMPERATURE, TOP_P, REPEAT_PENALTY = 0.2, 0.9, 1.1
"""
Default sampling of the packaged weights: the first two by their makers,
U{https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct}.
"""

PROMPT_CACHE_MIB = 256
"""
Memory for the state of idle conversations, so that their prompts need not be read
again.  The library's default limit is 8 GiB.
"""


def exitWithPipe(pipe: int) -> None:
    """
    Make the kernel end this process as soon as the other end of a pipe is closed.

    A thread that reads the pipe would not do: the library holds Python's global lock
    while it loads a model.  So the signal for a change of the pipe, whose default
    action is to terminate, is enabled.  (On Linux; where the default is to ignore it,
    the end is seen once the model is loaded.)
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:
        os._exit(0)  # it was closed before the signal was enabled


def countDefaultThreads() -> int:
    """
    Return the default number of threads: half of the processors.

    llama.cpp's threads wait for each other in busy loops.  If another process takes the
    processor of one, all of them wait; two models with two threads each on two
    processors are a hundred times slower than with one each.
    """
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return max(1, processors // 2)


def serve(order: EngineOrder) -> "Server":
    """
    Load the model and listen on a free port of the loopback interface.

    @raise ImportError: The library cannot be loaded.
    @raise RuntimeError: The model cannot be loaded; llama.cpp's log says why.
    """
    # Imported here, since it takes a while: the signals are ignored by now.
    from xllamacpp import CommonParams, Server, llama_pooling_type

    params = CommonParams()
    params.model.path = order.model
    params.model_alias = {order.name}
    params.api_keys = [order.key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.offline = True
    params.endpoint_slots = False  # it would show prompts
    params.n_parallel = order.parallel
    # Each conversation has a share of its own: in a common pool, one that exceeds it
    # aborts all others.
    params.n_ctx = order.contextSize * order.parallel
    params.kv_unified = False
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.cpuparams.n_threads = order.threads or countDefaultThreads()
    # A small model may repeat itself until its context is full.
    params.n_predict = order.maxTokens
    if order.packaged:
        params.sampling.temp = TEMPERATURE
        params.sampling.top_p = TOP_P
        params.sampling.penalty_repeat = REPEAT_PENALTY
    if order.embeddings:
        params.embedding = True
        # For a generative model, the mean over all tokens represents a text better than
        # its last token.
        params.pooling_type = llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        # With separate shares, texts in one batch get wrong vectors.
        params.kv_unified = True
        # A text must fit in one batch.
        params.n_batch = params.n_ubatch = order.contextSize
    return Server(params)


def findMissingLibrary(error: Exception) -> str | None:
    """
    Return the shared library for want of which a module could not be imported.
    """
    if not isinstance(error, ImportError):
        return None
    found = re.match(r"(lib[\w.+-]+): cannot open shared object file", str(error))
    return None if found is None else found[1]


def report(answer: EngineResponse) -> None:
    """
    Report the outcome of the start to the daemon, and close the descriptor.
    """
    with os.fdopen(RESPONSE, "wb") as daemon:
        daemon.write(msgspec.json.encode(answer) + b"\n")


def main() -> int:
    """
    Read the order, serve, and exit with the daemon.

    @return: The exit status.
    """
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    order = msgspec.json.decode(line, type=EngineOrder)
    exitWithPipe(STDIN)
    try:
        server = serve(order)
    except Exception as error:
        report(EngineRefused(str(error), findMissingLibrary(error)))
        return 1
    report(EngineListening(server.listening_address))
    sys.stdin.buffer.read()
    # There is nothing to save.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
