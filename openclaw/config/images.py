"""
What can be configured about the images of requests.
"""

from msgspec import Struct

from openclaw.config.kinds import Bytes, HostPattern, Seconds


class Images(Struct, frozen=True, kw_only=True):
    """
    Images in a request: in it as they are, or by their URL for the gateway to fetch.

    @ivar allowUrl: Whether they are fetched.  Default: no.
    @ivar urlAllowlist: The hosts they may be on; C{*.example.com} is every host below
        C{example.com}, but not itself.  Default: any on the public Internet.
    @ivar maxBytes: The largest image of either kind, in bytes.  Default: 10 MiB.
    @ivar timeoutSeconds: How long a fetch may take, redirects included.
        Default: 10.
    """

    allowUrl: bool = False
    urlAllowlist: tuple[HostPattern, ...] = ()
    maxBytes: Bytes = 10_485_760
    timeoutSeconds: Seconds = 10

    def allowsHost(self, host: str) -> bool:
        """
        May an image be on this host?  C{allowUrl} is another question.
        """
        name = host.lower().removesuffix(".")
        for pattern in map(str.lower, self.urlAllowlist):
            if name == pattern:
                return True
            if pattern.startswith("*.") and name.endswith(pattern[1:]):
                return True
        return not self.urlAllowlist


__all__ = ["Images"]
