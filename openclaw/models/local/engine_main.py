"""
The program of the embedded model's process.  Run by
L{openclaw.models.local.engine_process}, not by people.
"""

import fcntl
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from openclaw.models.local.engine_messages import (
    ANSWER,
    STDIN,
    Answer,
    EngineListening,
    EngineOrder,
    EngineRefused,
)

if TYPE_CHECKING:
    from xllamacpp import Server

NOT_FOR_US = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""
Signals that a terminal or a supervisor sends to the daemon and all its children.
The daemon drains first and needs its model for that; it ends this process by
closing the pipe.
"""

TEMPERATURE, TOP_P, REPEAT_PENALTY = 0.2, 0.9, 1.1
"""
Default sampling of the packaged weights: the first two by their makers,
U{https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct}.
"""

PROMPT_CACHE_MIB = 256
"""
Memory for conversations that are not being answered, so that they need not be read
again from the start.  The library's default would let it grow to 8 GiB.
"""


def dieWith(pipe: int) -> None:
    """
    Have the kernel end this process as soon as the other end of C{pipe} closes.

    A thread that reads the pipe could not do it: the library holds Python's lock
    for as long as it loads a model.  So the signal that announces a change on
    the pipe, whose default action is to terminate, is turned on (on Linux; where
    that default is to ignore, the end is seen once the model is loaded).
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:
        os._exit(0)  # it closed before the signal was turned on


def ownThreads() -> int:
    """
    Return the default number of threads: half as many as there are processors.

    llama.cpp's threads wait for each other in busy loops.  When something else
    takes a processor from one of them, all stand still; two models with two
    threads each on two processors are a hundred times slower than with one each.
    """
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return max(1, processors // 2)


def serve(order: EngineOrder) -> "Server":
    """
    Load the model and listen on a free port of the loopback interface.

    @raise ImportError: The library can't be loaded.
    @raise RuntimeError: The model can't be loaded; llama.cpp's log says why.
    """
    # Late, since it takes a while: by now the signals above are ignored.
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
    # Each conversation has its share to itself: in a common pool, one that grows
    # too long breaks off all others.
    params.n_ctx = order.contextSize * order.parallel
    params.kv_unified = False
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.cpuparams.n_threads = order.threads or ownThreads()
    # A small model easily loops, and would go on until its context is full.
    params.n_predict = order.maxTokens
    if order.packaged:
        params.sampling.temp = TEMPERATURE
        params.sampling.top_p = TOP_P
        params.sampling.penalty_repeat = REPEAT_PENALTY
    if order.embeddings:
        params.embedding = True
        # Of a model that was made to speak, the mean of all that it makes of a text
        # says more of its meaning than what it makes of the last word.
        params.pooling_type = llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        # With shares of their own, texts that are read together get wrong vectors.
        params.kv_unified = True
        # A text is read in one go, or not at all.
        params.n_batch = params.n_ubatch = order.contextSize
    return Server(params)


def say(answer: Answer) -> None:
    """
    Tell the daemon how it went, and close the descriptor for that.
    """
    with os.fdopen(ANSWER, "wb") as daemon:
        daemon.write(msgspec.json.encode(answer) + b"\n")


def main() -> int:
    """
    Take the order, serve, and end with the daemon.

    @return: The exit status.
    """
    for number in NOT_FOR_US:
        signal.signal(number, signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    order = msgspec.json.decode(line, type=EngineOrder)
    dieWith(STDIN)
    try:
        server = serve(order)
    except Exception as error:
        say(EngineRefused(str(error)))
        return 1
    say(EngineListening(server.listening_address))
    sys.stdin.buffer.read()
    # There is nothing to save, and nobody to wait for.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
