"""
The configuration of CORS.
"""

from msgspec import Struct

from openclaw.config.kinds import Origin


class CORS(Struct, frozen=True, kw_only=True):
    """
    Which web pages may use the gateway from a browser.

    @ivar allowedOrigins: Their origins, such as C{https://chat.example.com}; C{*} is
        any.  Default: none, so that no page can.
    """

    allowedOrigins: tuple[Origin, ...] = ()


__all__ = ["CORS"]
