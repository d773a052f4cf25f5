"""
A daemon that tests kill: it runs one process of the embedded model.

Called with the path of a model.  Prints the process's id once it is started, and a line
each when the model is being loaded and is ready.
"""

import os
import sys

from twisted.internet import reactor
from twisted.logger import Logger, formatEvent

from openclaw.models.local.engine_messages import EngineOrder
from openclaw.models.local.engine_process import ModelProcess

LOADING = "loading"
READY = "ready"


def say(line):
    """
    Print a line for the test.
    """
    print(line, flush=True)


def observe(event):
    """
    Print a line when llama.cpp opens the file.
    """
    if "loading model '" in formatEvent(event):
        say(LOADING)


def main():
    """
    Run until killed.
    """
    order = EngineOrder(
        model=sys.argv[1],
        name="m",
        key="k",
        contextSize=512,
        maxTokens=64,
        packaged=False,
        parallel=1,
        threads=1,
    )
    process = ModelProcess(order=order, clock=reactor, log=Logger(observer=observe))
    process.spawn(reactor, os.environ)
    say(process.transport.pid)
    process.listening.addCallback(lambda address: say(READY))
    reactor.run()


if __name__ == "__main__":
    main()
