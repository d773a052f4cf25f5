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
from benchmarks.subjects import PROJECT

PAGE = PROJECT / "docs" / "performance.md"
BEGIN = "<!-- figures: written by benchmarks.publish -->"
END = "<!-- end of figures -->"


class NotPublished(Exception):
    """
    The figures are not fit to be shown, or there is no place for them.  The message
    says why.
    """


def section(results: Results) -> str:
    """
    Return the text between the marks of the page.
    """
    return "\n\n".join(
        [
            BEGIN,
            table(results),
            "What the measuring itself used: the CPU of the mock upstream and of the "
            "load generator,\nin multiples of what the server used, and how busy they "
            "kept their cores:",
            burdens(results),
            notes(results),
            END,
        ]
    )


def withSection(page: str, text: str) -> str:
    """
    A page with other text between its marks.

    @raise NotPublished: It has no such marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NotPublished("the page has no marks between which figures stand")
    return before + text + after


def publish(results: Results, page: Path) -> None:
    """
    Write the figures into the page.

    @raise NotPublished: They are not fit to be shown.
    """
    if results.quick:
        raise NotPublished("a quick run is for checking only")
    found = flaws(results)
    if found:
        raise NotPublished("these figures are worth nothing: " + "; ".join(found))
    page.write_text(withSection(page.read_text(), section(results)))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.publish",
        description="Put the results of a run into the documentation.",
    )
    parser.add_argument(
        "file", type=Path, help="what benchmarks.run --json has written"
    )
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
