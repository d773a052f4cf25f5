"""
The numbers that the gateway shows.
"""

from msgspec import Struct


class Metrics(Struct, frozen=True, kw_only=True):
    """
    The endpoint C{/metrics}.

    @ivar enabled: Whether it is served.  Default: yes.
    @ivar open: Whether everybody may read it who can reach the port; otherwise it
        takes a credential with the scope C{operator.metrics}.  Default: no.
    """

    enabled: bool = True
    open: bool = False


__all__ = ["Metrics"]
