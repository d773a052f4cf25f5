"""
The program that makes text of a fetched page.  Run by L{openclaw.tools.web_fetch}.

A page is a stranger's: its parser and its layout run apart from the daemon, with bounds
on memory and time, so that no page of any shape can stop or fill the daemon.
"""

import json
import resource
import sys
import threading

STACK_BYTES = 256 * 1024 * 1024
TOO_MUCH = "takes too much memory to be read"
DEPTH = 60_000
"""
Levels of nesting that the layout, which is recursive, can follow.
"""


def convert(job: dict[str, object]) -> None:
    """
    Read the page from the standard input's neighbour, descriptor 3, and write its text.

    The first line is a JSON object: C{left} is the number of characters that were cut
    off, C{error} tells why there is no text.
    """
    from openclaw.tools.html_text import textOf

    with open(3, "rb") as file:
        data = file.read()
    limit = int(str(job["limit"]))
    text = textOf(data, str(job["kind"]), job["charset"])  # type: ignore[arg-type]
    if text is None:
        write({"error": "is not text"})
    else:
        left = max(0, len(text) - limit)
        write({"left": left}, text[:limit].encode("utf-8", "replace"))


def write(head: dict[str, object], text: bytes = b"") -> None:
    """
    Write the first line, and the text.
    """
    out = sys.stdout.buffer
    out.write(json.dumps(head).encode() + b"\n")
    out.write(text)
    out.flush()


def attempt(job: dict[str, object]) -> None:
    """
    Convert, or say why not.
    """
    try:
        convert(job)
    except MemoryError:
        write({"error": TOO_MUCH})
    except RecursionError:
        write({"error": "is nested too deeply to be read"})
    except Exception as error:
        write({"error": f"can't be read: {type(error).__name__}"})


def main() -> None:
    """
    Set the bounds, and convert.
    """
    job = json.loads(sys.argv[1])
    sys.path[:] = job["path"]
    for kind, most in (
        (resource.RLIMIT_AS, job["memory"]),
        (resource.RLIMIT_CPU, job["seconds"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(kind, (most, most))
    sys.setrecursionlimit(DEPTH)
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=attempt, args=(job,))
    try:
        thread.start()
    except RuntimeError:
        # There is no room for its stack.
        write({"error": TOO_MUCH})
    else:
        thread.join()


if __name__ == "__main__":
    main()
