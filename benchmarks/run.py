"""
The benchmarks: the daemon beside bare relays, and beside any other server.

Run as C{python -m benchmarks.run}; C{make bench} does so.  All servers run at the same
time, but only one of them ever has work: each round gives each work to each server in
turn, so that what disturbs the machine disturbs all of them alike.
"""

import argparse
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

import openclaw as package
from benchmarks.bench import Bench, Scale
from benchmarks.processes import usable
from benchmarks.report import notes, table
from benchmarks.results import flaws
from benchmarks.servers import RECIPES, NotStarted, nginxProgram
from benchmarks.works import WORKS, Subject, subjectFrom

EXTRAS = ("held", "cores")
USUAL = Scale(rounds=5, starts=5, seconds=3.0, idle=10.0, streams=5000)
QUICK = Scale(rounds=2, starts=2, seconds=1.0, idle=3.0, streams=500, quick=True)
DISTRIBUTIONS = ("openclaw-twisted", "Twisted", "klein", "treq", "msgspec")


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
    given.subject = [n for n in given.subject or RECIPES if n != "none"]
    scale = QUICK if given.quick else USUAL
    given.scale = msgspec.structs.replace(
        scale,
        rounds=given.rounds or scale.rounds,
        streams=given.streams or scale.streams,
    )
    return given


def described(secrets: Sequence[str]) -> dict[str, str]:
    """
    Describe the machine, the software and the command.

    @param secrets: Words of the command that are not to be told.
    """
    command = shlex.join(["python", "-m", "benchmarks.run", *sys.argv[1:]])
    for secret in filter(None, secrets):
        command = command.replace(secret, "TOKEN")
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    git = ["git", "-C", str(Path(package.__file__).parent)]
    program = nginxProgram()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "CPU": f"{model[1] if model else platform.machine()}, {len(usable())} cores",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        **{name: version(name) for name in DISTRIBUTIONS},
        "commit": _output(*git, "describe", "--always", "--exclude=*", "--dirty"),
        "nginx": _output(program, "-v").rpartition("/")[2] if program else "none",
    }


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError:
        return "unknown"
    return (done.stdout or done.stderr).strip() if not done.returncode else "unknown"


def main() -> None:
    """
    Run the command.  The exit status is 1 if there is a flaw in the results.
    """
    given = arguments()
    # So that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as owned:
        home = Path(owned.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(given, home, owned)
        results = bench.results
        results.machine |= described([each.token or "" for each in given.against])
        try:
            bench.run()
        except (NotStarted, OSError) as failure:
            sys.exit(f"benchmarks: {failure}\n{bench.logs()}")
        found = flaws(results)
        if found:
            print(bench.logs(), file=sys.stderr)
    print(table(results), notes(results), sep="\n\n")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    if found:
        print("\nTHESE FIGURES ARE WORTH NOTHING:", *found, sep="\n  ", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
