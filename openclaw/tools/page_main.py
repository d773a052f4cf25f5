"""
The program that extracts the text of a fetched page.

L{openclaw.tools.web_fetch} runs it.

Pages are not trusted: they are parsed and laid out in a process of its own, with limits
of memory and time, so that no page can block or fill the daemon.
"""

import json
import os
import resource
import sys
import threading

STACK_BYTES = 256 * 1024 * 1024
OUT_OF_MEMORY = "takes too much memory to be read"
DEPTH = 60_000
"""
Python's recursion limit, for the layout, which is recursive.
"""


def convert(job: dict[str, object]) -> None:
    """
    Read the page from descriptor 3 and write its text.

    The first line written is a JSON object: C{left} is the number of characters that
    were cut off, C{error} says why there is no text.
    """
    from openclaw.tools.page_text import PDF_TYPES, extractText
    from openclaw.tools.pdf_text import UnreadablePDF

    with open(3, "rb") as file:
        data = file.read()
    limit = int(str(job["limit"]))
    kind = str(job["kind"])
    try:
        text = extractText(data, kind, job["charset"], limit)  # type: ignore[arg-type]
    except UnreadablePDF as error:
        writeResult({"error": str(error)})
        return
    if text is None:
        writeResult({"error": "is not text"})
    elif kind in PDF_TYPES:
        # It is bounded already, and says itself which pages are left out.
        writeResult({"left": 0}, text.encode("utf-8", "replace"))
    else:
        left = max(0, len(text) - limit)
        writeResult({"left": left}, text[:limit].encode("utf-8", "replace"))


def writeResult(head: dict[str, object], text: bytes = b"") -> None:
    out = sys.stdout.buffer
    out.write(json.dumps(head).encode() + b"\n")
    out.write(text)
    out.flush()


def convertOrReport(job: dict[str, object]) -> None:
    try:
        convert(job)
    except MemoryError:
        writeResult({"error": OUT_OF_MEMORY})
    except RecursionError:
        writeResult({"error": "is nested too deeply to be read"})
    except Exception as error:
        writeResult({"error": f"can't be read: {type(error).__name__}"})


def main() -> None:
    """
    Set the limits, and convert.
    """
    job = json.loads(sys.argv[1])
    # Libraries' warnings do not belong to the result.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.path[:] = job["path"]
    for kind, limit in (
        (resource.RLIMIT_AS, job["memory"]),
        (resource.RLIMIT_CPU, job["seconds"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(kind, (limit, limit))
    sys.setrecursionlimit(DEPTH)
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=convertOrReport, args=(job,))
    try:
        thread.start()
    except RuntimeError:
        # There is not enough memory for its stack.
        writeResult({"error": OUT_OF_MEMORY})
    else:
        thread.join()


if __name__ == "__main__":
    main()
