"""
Limits of what an answer of a model may hold.
"""

MOST_BYTES = 128 * 1024 * 1024
"""
The largest body of an answer, with all that is passed over in it, such as comments.
The longest that models can give today, of 128,000 tokens, has about 40 MB in the
wordiest dialect.
"""

MOST_CONTENT = 16 * 1024 * 1024
"""
The most that an answer may say, in bytes or characters: text, thoughts, and the
arguments of tool calls.
"""

MOST_EVENTS = 1_000_000
"""
The most events of an answer, also those that say nothing.
"""

UNCOUNTED_BYTES = 4 * 1024 * 1024
"""
A body of no more bytes can pass neither of these two limits: an event has eight bytes
at least, and no byte of a body says more than two of content.
"""

MOST_THOUGHTS = 1024
"""
The most thoughts of an answer that a provider may want back.
"""

MOST_ITEMS = 10_000
"""
The most items or blocks of an answer that are told apart.
"""

LARGE_EVENT = 64 * 1024
"""
The values in an event of more bytes than this are counted before it is read.
"""

MOST_TOKENS = 2**53
"""
The largest count that every reader of JSON can tell from its neighbours.
"""


def plausible(count: int) -> int:
    """
    A provider's count of tokens if it can be one, else the nearest that can.
    """
    return min(max(0, count), MOST_TOKENS)
