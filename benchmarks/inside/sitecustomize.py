"""
Count the objects of a Python process, for L{benchmarks.soak}.

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
from types import BuiltinFunctionType, MethodType
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


def _counted(names: Iterable[str]) -> Counter[str]:
    # A Counter that is made of an iterable asks 13 abstract classes about its type, and
    # they remember it: two new objects each, which the next census would find.
    counts: Counter[str] = Counter()
    for name in names:
        counts[name] += 1
    return counts


def takeCensus(path: str) -> None:
    """
    Write the counts to a file, which is whole as soon as it is there.
    """
    gc.collect()
    things = _counted(map(_kindOf, gc.get_objects()))
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    calls = [] if reactor is None else reactor.getDelayedCalls()
    timers = _counted([_nameOf(getattr(call, "func", None)) for call in calls])
    found = {"things": things, "timers": timers}
    with open(f"{path}.part", "w") as file:
        json.dump(found, file)
    os.replace(f"{path}.part", path)


if "OPENCLAW_CENSUS" in os.environ:
    signal.signal(signal.SIGUSR2, lambda *_: takeCensus(os.environ["OPENCLAW_CENSUS"]))
