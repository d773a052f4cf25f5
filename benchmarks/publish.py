"""
Put the results of a run into C{docs/performance.md}.

Run as C{python -m benchmarks.publish FILE}, with the file that
C{python -m benchmarks.run --json FILE} has written.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from benchmarks.report import burdens, notes, table
from benchmarks.results import Results, flaws
from benchmarks.servers import PROJECT

PAGE = PROJECT / "docs" / "performance.md"
BEGIN = "<!-- figures: written by benchmarks.publish -->"
END = "<!-- end of figures -->"
MEASURING = """\
What the measuring itself used: the CPU of the mock upstream and of the load generator,
in multiples of what the server used, and how busy they kept their cores:"""


class NotPublished(Exception):
    """
    The figures are not fit to be shown, or there is no place for them.
    """


def publish(results: Results, page: Path) -> None:
    """
    Write the figures between the marks of the page.

    @raise NotPublished: They are not fit to be shown, or there are no marks.
    """
    if results.quick:
        raise NotPublished("a quick run is for checking only")
    found = flaws(results)
    if found:
        raise NotPublished("these figures are worth nothing: " + "; ".join(found))
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NotPublished("the page has no marks between which figures stand")
    section = [BEGIN, table(results), MEASURING, burdens(results), notes(results), END]
    page.write_text(before + "\n\n".join(section) + after)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.publish",
        description="Put the results of a run into the documentation.",
    )
    parser.add_argument("file", type=Path, help="written by benchmarks.run --json")
    parser.add_argument("--page", type=Path, default=PAGE, help=f"default: {PAGE.name}")
    given = parser.parse_args()
    try:
        results = msgspec.json.decode(given.file.read_bytes(), type=Results)
        publish(results, given.page)
    except (NotPublished, OSError, msgspec.MsgspecError) as error:
        sys.exit(f"benchmarks: {error}")
    print(f"{given.page} has the figures now.")


if __name__ == "__main__":
    main()
