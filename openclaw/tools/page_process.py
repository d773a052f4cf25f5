"""
Make text of a fetched page in a process of its own; see L{openclaw.tools.page_main}.
"""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from openclaw.interfaces import ToolError
from openclaw.tools.subprocesses import BoundedOutput, Program, runProgram, scrubbed

CHILD = Path(__file__).with_name("page_main.py")
SECONDS = 10.0
"""
Longest time for one page, in seconds.
"""

MEMORY_BYTES = 768 * 1024 * 1024
MEMORY_PER_BYTE = 256
"""
Address space of the process: so much, and so much more for each byte of the page.
"""

HEAD_BYTES = 1000


async def pageText(
    reactor: Any, data: bytes, kind: str, charset: str | None, limit: int
) -> tuple[str, int]:
    """
    Make text of a page.

    @param kind: The media type.

    @param limit: The most characters of the text.

    @return: The text, and the number of characters that were cut off.

    @raise ToolError: There is no text, or it takes too much time or memory.
    """
    seconds = math.ceil(SECONDS)
    job = json.dumps(
        {
            "kind": kind,
            "charset": charset,
            "limit": limit,
            "memory": MEMORY_BYTES + MEMORY_PER_BYTE * len(data),
            "seconds": seconds,
            "path": [os.path.abspath(each) for each in sys.path],
        }
    )
    page = os.memfd_create("page")
    try:
        os.write(page, data)
        os.lseek(page, 0, os.SEEK_SET)
        output = BoundedOutput(2 * (4 * limit + HEAD_BYTES))
        program = Program(
            arguments=[sys.executable, "-I", str(CHILD), job],
            environment=scrubbed(os.environ),
            seconds=SECONDS,
            graceSeconds=0,
            descriptors={3: page},
        )
        ending = await runProgram(reactor, program, output)
    finally:
        os.close(page)
    head, _, text = output.text().partition("\n")
    if ending.why is not None:
        raise ToolError(f"The page can't be made text of within {SECONDS:g} s.")
    try:
        told = json.loads(head)
        left = told.get("left")
        error = told.get("error")
    except (ValueError, AttributeError):
        left, error = None, None
    if error is not None:
        raise ToolError(f"The page {error}.")
    if ending.status != 0 or not isinstance(left, int):
        raise ToolError("The page can't be made text of: it takes too much memory.")
    return text, left
