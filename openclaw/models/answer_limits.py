"""
Limits of a model's reply.
"""

MOST_BYTES = 128 * 1024 * 1024
"""
Limit of a response's body, including ignored parts such as comments.  The longest
current replies, of 128,000 tokens, take about 40 MB in the most verbose dialect.
"""

MOST_CONTENT = 16 * 1024 * 1024
"""
Limit of a reply's content, in bytes or characters: text, reasoning, and the arguments
of tool calls.
"""

MOST_EVENTS = 1_000_000
"""
Limit of the events of a response, including those without content.
"""

UNCOUNTED_BYTES = 4 * 1024 * 1024
"""
A body of this size can't exceed these two limits: an event has at least eight bytes,
and a byte of the body is at most two of content.
"""

MOST_THOUGHTS = 1024
"""
Limit of the pieces of reasoning that a provider may require back.
"""

MOST_ITEMS = 10_000
"""
Limit of the items or blocks of a reply.
"""

LARGE_EVENT = 64 * 1024
"""
The values in an event over this size are counted before it is decoded.
"""

MOST_TOKENS = 2**53
"""
The largest count that every JSON reader represents exactly.
"""


def plausible(count: int) -> int:
    """
    Return a provider's count of tokens, limited to possible values.
    """
    return min(max(0, count), MOST_TOKENS)
