"""
Fuzzing for longer: C{python -m tests.fuzz --minutes 10}.

Each round generates new input.  The first failure ends it with exit status 1, and with
the smallest failing input.
"""

import argparse
import sys
import time
from importlib import import_module
from unittest import TestLoader, TestSuite, TextTestRunner

from hypothesis import settings

MODULES = (
    "tests.fuzz.test_answers",
    "tests.fuzz.test_pages",
    "tests.fuzz.test_requests",
)
EXAMPLES = 2000
"""
The number of examples of each test in a round.
"""


def suite() -> TestSuite:
    """
    Return all tests of this package, newly loaded.
    """
    modules = map(import_module, MODULES)
    return TestSuite(map(TestLoader().loadTestsFromModule, modules))


def main() -> None:
    """
    Run the command.
    """
    parser = argparse.ArgumentParser(description="Look for input that breaks us.")
    parser.add_argument("--minutes", type=float, default=1.0)
    until = time.monotonic() + parser.parse_args().minutes * 60
    # Before the modules are imported, whose settings depend on it.
    settings.register_profile("long", max_examples=EXAMPLES)
    settings.load_profile("long")
    rounds = 0
    while not rounds or time.monotonic() < until:
        if not TextTestRunner(verbosity=0, failfast=True).run(suite()).wasSuccessful():
            sys.exit(1)
        rounds += 1
    print(f"{rounds} rounds")


if __name__ == "__main__":
    main()
