"""
Counts what lives in a Python process, for L{benchmarks.soak}.

Python imports a module of this name at its start.  With this directory in
C{PYTHONPATH} and a file's name in C{OPENCLAW_CENSUS}, the process answers each SIGUSR2
by collecting garbage and writing to that file, as JSON, how many objects there are of
each type, and how many delayed calls of each function.  So the product needs no hook.
"""

import gc
import json
import os
import signal
import sys
import weakref
from collections import Counter
from collections.abc import Iterable
from types import BuiltinFunctionType, FrameType, MethodType
from typing import Any


def _nameOf(named: Any) -> str:
    return f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', '?')}"


def _kindOf(thing: object) -> str:
    name = _nameOf(type(thing))
    if type(thing) is weakref.ReferenceType:
        # What it was made for says more.
        return f"{name} to {_nameOf(type(thing()))}"
    if isinstance(thing, MethodType | BuiltinFunctionType):
        return f"{name} {_nameOf(thing)}"
    return name


def _delayed() -> Iterable[str]:
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return ()
    return [_nameOf(getattr(call, "func", None)) for call in reactor.getDelayedCalls()]


def _counted(names: Iterable[str]) -> Counter[str]:
    # A Counter that is made of an iterable asks 13 abstract classes about its type, and
    # they remember it: two new objects each, which the next census would find.
    counts: Counter[str] = Counter()
    for name in names:
        counts[name] += 1
    return counts


def takeCensus(path: str) -> None:
    """
    Write down what there is.

    @param path: The file, which is whole as soon as it is there.
    """
    gc.collect()
    things = _counted(map(_kindOf, gc.get_objects()))
    found = {"things": things, "timers": _counted(_delayed())}
    with open(f"{path}.part", "w") as file:
        json.dump(found, file)
    os.replace(f"{path}.part", path)


def _install(path: str) -> None:
    def asked(number: int, frame: FrameType | None) -> None:
        takeCensus(path)

    signal.signal(signal.SIGUSR2, asked)


if "OPENCLAW_CENSUS" in os.environ:
    _install(os.environ["OPENCLAW_CENSUS"])
