"""
The keys of the embeddings endpoint.
"""

from msgspec import Struct

from openclaw.config.kinds import Amount


class Embeddings(Struct, frozen=True, kw_only=True):
    """
    The endpoint C{/v1/embeddings}, which is served beside C{/v1/chat/completions} and
    never alone.

    @ivar enabled: Whether it is served too.  Default: yes.
    @ivar maxConcurrent: The requests at once; those beyond are refused.
        Default: 32.
    """

    enabled: bool = True
    maxConcurrent: Amount = 32


__all__ = ["Embeddings"]
