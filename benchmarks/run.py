"""
The benchmarks: the daemon beside bare relays, and beside any other server.

Run as C{python -m benchmarks.run}; C{make bench} does so.  All servers run at the same
time, but only one of them ever has work: each round gives each work to each server in
turn, so that what disturbs the machine disturbs all of them alike.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks.bench import Bench, Scale
from benchmarks.recipes import nginx, nginxProgram, openclaw, relay
from benchmarks.report import notes, table
from benchmarks.results import flaws
from benchmarks.subjects import NotStarted, Subject, subjectFrom
from benchmarks.works import WORKS

RECIPES = {"openclaw": openclaw, "relay": relay, "nginx": nginx}
EXTRAS = ("held", "cores")
USUAL = Scale(rounds=5, starts=5, seconds=3.0, idle=10.0, streams=5000)
QUICK = Scale(rounds=2, starts=2, seconds=1.0, idle=3.0, streams=500, quick=True)


def _subject(text: str) -> Subject:
    try:
        return subjectFrom(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Measure what a request costs.  Takes about ten minutes.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="less than two minutes, and less exact")
    add("--json", type=Path, metavar="FILE", help="write every sample there")
    add("--rounds", type=int, help="how often to give each work to each server")
    add("--streams", type=int, help="how many streams to hold at once")
    works = [*(work.name for work in WORKS), *EXTRAS]
    add("--work", action="append", choices=works, help="only this work (repeatable)")
    add(
        "--subject",
        action="append",
        choices=[*RECIPES, "none"],
        help="start only this server of ours (repeatable)",
    )
    add("--free", action="store_true", help="let every part use every core")
    add(
        "--against",
        action="append",
        default=[],
        type=_subject,
        metavar="NAME=URL[,token=…][,pid=…][,sessions=yes][,model=…][,MODE=MODEL]",
        help="another server, which must run already (repeatable)",
    )
    add("--upstream-port", type=int, default=0, help="where the mock shall listen")
    given = parser.parse_args(words)
    given.work = given.work or works
    given.subject = given.subject or list(RECIPES)
    given.subject = [name for name in given.subject if name != "none"]
    return given


def bench(given: argparse.Namespace, home: Path, owned: ExitStack) -> Bench:
    """
    What the command asks for.

    @param home: A private directory.
    @param owned: What has to be stopped in the end.
    """
    scale = QUICK if given.quick else USUAL
    scale = msgspec.structs.replace(
        scale,
        rounds=given.rounds or scale.rounds,
        streams=given.streams or scale.streams,
    )
    skipped = {}
    names = list(given.subject)
    if "nginx" in names and nginxProgram() is None:
        names.remove("nginx")
        skipped["nginx"] = "it is not installed"
    return Bench(
        scale=scale,
        recipes=[RECIPES[name]() for name in names],
        others=given.against,
        works=given.work,
        free=given.free,
        home=home,
        owned=owned,
        skipped=skipped,
    )


def main() -> None:
    """
    The command.  The exit status is 1 if there is a flaw in the results.
    """
    given = arguments()
    # So that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as owned:
        home = Path(owned.enter_context(tempfile.TemporaryDirectory()))
        benchmarks = bench(given, home, owned)
        try:
            results = benchmarks.run(given.upstream_port)
        except (NotStarted, OSError) as failure:
            sys.exit(f"benchmarks: {failure}\n{benchmarks.logs()}")
        found = flaws(results)
        if found:
            print(benchmarks.logs(), file=sys.stderr)
    print(table(results), notes(results), sep="\n\n")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    if found:
        print("\nTHESE FIGURES ARE WORTH NOTHING:", *found, sep="\n  ", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
